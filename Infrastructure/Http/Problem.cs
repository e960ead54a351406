using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;

namespace InstaSlice.Infrastructure.Http;

/// <summary>One way in which a call can fail: its status, the code that clients switch on, and a sentence for people.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">A stable snake_case word.</param>
/// <param name="Title">What is wrong, the same for every occurrence.</param>
public sealed record ProblemKind(int Status, string Code, string Title)
{
    public static readonly ProblemKind InvalidRequest = new(400, "invalid_request", "The request is not valid.");
    public static readonly ProblemKind BadCursor = new(
        400,
        "bad_cursor",
        "The cursor is not one that this list gave out."
    );
    public static readonly ProblemKind BadLimit = new(
        400,
        "bad_limit",
        "The limit is not a whole number from 1 to 100."
    );
    public static readonly ProblemKind BadIdempotencyKey = new(
        400,
        "bad_idempotency_key",
        "The Idempotency-Key is not one header of 1 to 64 printable ASCII characters."
    );
    public static readonly ProblemKind Unauthenticated = new(
        401,
        "unauthenticated",
        "This call needs an access token."
    );
    public static readonly ProblemKind InvalidToken = new(
        401,
        "invalid_token",
        "The access token is not valid, or not any more."
    );
    public static readonly ProblemKind Forbidden = new(403, "forbidden", "This is not yours to change.");
    public static readonly ProblemKind NotFound = new(
        404,
        "not_found",
        "There is no such thing, or you may not see it."
    );
    public static readonly ProblemKind MethodNotAllowed = new(
        405,
        "method_not_allowed",
        "The resource does not know this method."
    );
    public static readonly ProblemKind PreconditionFailed = new(
        412,
        "precondition_failed",
        "The resource has changed since."
    );
    public static readonly ProblemKind PayloadTooLarge = new(
        413,
        "payload_too_large",
        "The body is larger than allowed."
    );
    public static readonly ProblemKind UnsupportedMediaType = new(
        415,
        "unsupported_media_type",
        "The Content-Type is not one this call takes."
    );
    public static readonly ProblemKind RangeNotSatisfiable = new(
        416,
        "range_not_satisfiable",
        "The range lies outside of the file."
    );
    public static readonly ProblemKind IdempotencyKeyReused = new(
        422,
        "idempotency_key_reused",
        "The Idempotency-Key was used for another request within 24 hours."
    );
    public static readonly ProblemKind RateLimited = new(429, "rate_limited", "Too many requests.");
    public static readonly ProblemKind InternalError = new(500, "internal_error", "Something went wrong on our side.");
    public static readonly ProblemKind Unavailable = new(
        503,
        "unavailable",
        "The service cannot answer right now; try again."
    );
    public static readonly ProblemKind InsufficientStorage = new(
        507,
        "insufficient_storage",
        "There is no room for it right now."
    );

    /// <summary>For what the framework itself refuses, of which we know the status alone.</summary>
    public static ProblemKind OfStatus(int status) =>
        status switch
        {
            400 => InvalidRequest,
            401 => Unauthenticated,
            403 => Forbidden,
            404 => NotFound,
            405 => MethodNotAllowed,
            412 => PreconditionFailed,
            413 => PayloadTooLarge,
            415 => UnsupportedMediaType,
            416 => RangeNotSatisfiable,
            429 => RateLimited,
            500 => InternalError,
            503 => Unavailable,
            507 => InsufficientStorage,
            _ => new(
                status,
                "http_" + status.ToString(CultureInfo.InvariantCulture),
                "The request could not be answered."
            ),
        };
}

/// <summary>
/// A failure that a handler expects and returns. Each is a type of its own, so that a handler's return type lists every way in
/// which the call can end, and the OpenAPI document is read off it.
/// </summary>
public abstract class Problem<TSelf>(string? detail) : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
    where TSelf : Problem<TSelf>, IProblem
{
    public int? StatusCode => TSelf.Kind.Status;

    public virtual Task ExecuteAsync(HttpContext httpContext) =>
        ProblemWriter.WriteAsync(httpContext, TSelf.Kind, detail);

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) => builder.Metadata.Add(TSelf.Kind);
}

/// <summary>What kind of problem a type of problem is.</summary>
public interface IProblem
{
    static abstract ProblemKind Kind { get; }
}

/// <summary>404: it does not exist, or the viewer may not see it; which of the two is nobody's business.</summary>
public sealed class Missing() : Problem<Missing>(null), IProblem
{
    public static ProblemKind Kind => ProblemKind.NotFound;
}

/// <summary>403: the viewer can see it but not change it.</summary>
public sealed class Forbidden() : Problem<Forbidden>(null), IProblem
{
    public static ProblemKind Kind => ProblemKind.Forbidden;
}

/// <summary>412: If-Match names another version than there is.</summary>
public sealed class PreconditionFailed() : Problem<PreconditionFailed>(null), IProblem
{
    public static ProblemKind Kind => ProblemKind.PreconditionFailed;
}

/// <summary>422: the same Idempotency-Key with another request.</summary>
public sealed class IdempotencyKeyReused() : Problem<IdempotencyKeyReused>(null), IProblem
{
    public static ProblemKind Kind => ProblemKind.IdempotencyKeyReused;
}

/// <summary>400: the request is understood, but a member of it is outside what is allowed.</summary>
public sealed class InvalidRequest(string member, string message) : Problem<InvalidRequest>(null), IProblem
{
    public static ProblemKind Kind => ProblemKind.InvalidRequest;

    public override Task ExecuteAsync(HttpContext httpContext) =>
        ProblemWriter.WriteAsync(httpContext, Kind, null, new Dictionary<string, string[]> { [member] = [message] });
}
