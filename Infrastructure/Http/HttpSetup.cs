using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Observability;
using InstaSlice.Infrastructure.Running;
using Microsoft.AspNetCore.Http.Metadata;
using Serilog;

namespace InstaSlice.Infrastructure.Http;

/// <summary>The conventions that hold for every call, in the order in which a request meets them.</summary>
public static class HttpSetup
{
    public static void AddHttp(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = RequestBody.MaximumBytes;
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        });
        builder.Services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.Configure<RouteOptions>(options => options.ConstraintMap["id"] = typeof(IdConstraint));
        builder.Services.AddValidation();
        builder.Services.AddSingleton<IProblemDetailsService, ProblemWriter>();
        builder.Services.AddSingleton<RateLimits>();
        builder.Services.AddOptions<ForwardedHeadersOptions>().Configure<IConfiguration>(TrustedProxies.Configure);

        builder.Services.AddCors(cors =>
            cors.AddDefaultPolicy(policy =>
                policy
                    .WithOrigins(OriginsOf(builder.Configuration))
                    .WithMethods("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
                    .WithHeaders(
                        "Authorization",
                        "Content-Type",
                        "Idempotency-Key",
                        "If-Match",
                        "If-None-Match",
                        "Last-Event-ID",
                        "Range",
                        RequestId.Header
                    )
                    .WithHeaders(Tus.RequestHeaders)
                    .WithExposedHeaders(
                        "Accept-Ranges",
                        "Allow",
                        "Content-Range",
                        "ETag",
                        "Link",
                        "Location",
                        "Idempotency-Replayed",
                        "RateLimit",
                        "RateLimit-Policy",
                        "Retry-After",
                        "WWW-Authenticate",
                        RequestId.Header
                    )
                    .WithExposedHeaders(Tus.AnswerHeaders)
                    .SetPreflightMaxAge(TimeSpan.FromHours(1))
            )
        );
    }

    public static void UseHttp(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseSerilogRequestLogging(options =>
            RequestLog.Configure(options, app.Services.GetRequiredService<Serilog.ILogger>())
        );
        app.Use(next => context => app.Services.GetRequiredService<Draining>().CountAsync(context, next));
        app.Use(SetHeadersAsync);
        app.UseMiddleware<ErrorBoundary>();
        app.Use(DescribeBareStatusAsync);
        app.Use(Tus.SpeakAsync);
        app.Use(AnswerHeadAsGetAsync);
        app.UseRouting();
        if (OriginsOf(app.Configuration) is not [])
            app.UseCors();
        app.UseMiddleware<BearerAuthentication>();
        if (app.Configuration.GetValue("RateLimits:Enabled", true))
            app.Use(next => context => app.Services.GetRequiredService<RateLimits>().LimitAsync(context, next));
        app.Use(BearerAuthentication.RefuseBadTokensAsync);
        app.UseAuthorization();
        app.Use(next => context => RequestBody.ReadAsync(context, next));
    }

    private static string[] OriginsOf(IConfiguration configuration) =>
        configuration["Cors:Origins"]?.Split([',', ' ', ';'], StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>What is validated by attributes are bodies. A GET has none, and looking at all else that a handler takes is 3 % of it.</summary>
    public static RouteGroupBuilder ValidateBodiesAlone(this RouteGroupBuilder group)
    {
        ((IEndpointConventionBuilder)group).Add(endpoint =>
        {
            if (endpoint.Metadata.OfType<IHttpMethodMetadata>().Any(method => method.HttpMethods is ["GET"]))
                endpoint.Metadata.Add(new HasNoBody());
        });
        return group;
    }

    private sealed class HasNoBody : IDisableValidationMetadata;

    private static Task SetHeadersAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers[RequestId.Header] = RequestId.Begin(context);
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "private, no-cache";
        headers.Vary = "Authorization";
        return next(context);
    }

    /// <summary>What the framework refuses by a status alone gets the body that every error has.</summary>
    private static async Task DescribeBareStatusAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        if (
            context.Response is
            { HasStarted: false, StatusCode: >= 400 and not StatusCodes.Status499ClientClosedRequest } response
        )
            await ProblemWriter.WriteAsync(context, ProblemKind.OfStatus(response.StatusCode), null);
    }

    /// <summary>
    /// HEAD is GET without the body. Kestrel knows what came over the wire and sends none; everything in between need not know.
    /// </summary>
    private static async Task AnswerHeadAsGetAsync(HttpContext context, RequestDelegate next)
    {
        var isHead = HttpMethods.IsHead(context.Request.Method);
        if (isHead)
        {
            context.Request.Method = HttpMethods.Get;
            context.Features.Set(new HeadAsGet());
        }
        try
        {
            await next(context);
        }
        finally
        {
            if (isHead)
                context.Request.Method = HttpMethods.Head;
        }
        if (context.Response.StatusCode == StatusCodes.Status405MethodNotAllowed && !context.Response.HasStarted)
        {
            var allow = context.Response.Headers.Allow.ToString();
            if (allow.Contains("GET", StringComparison.Ordinal))
                context.Response.Headers.Allow = allow + ", HEAD";
        }
    }
}

/// <summary>Marks a HEAD that is answered as a GET, for where the two differ in more than the body.</summary>
public sealed class HeadAsGet;
