using System.Reflection;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc.ApiExplorer;

namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>One call of the API, as its route and its handler's signature tell of it.</summary>
internal sealed class Call(ApiDescription description)
{
    private readonly IList<object> _metadata = description.ActionDescriptor.EndpointMetadata;

    /// <summary>The use case: the name of its file and its class.</summary>
    public string Name => Handler.DeclaringType!.Name;

    public string? HttpMethod => description.HttpMethod;

    /// <summary>Is it the look at one thing, which has an ETag?</summary>
    public bool IsConditional => HttpMethod == HttpMethods.Get && (Returns(typeof(Resource<>)) || IsFile);

    /// <summary>Does it answer with bytes, of which ranges can be asked for?</summary>
    public bool IsFile => Returns(typeof(FileResource));

    public bool IsAnonymous => _metadata.OfType<IAllowAnonymous>().Any();

    /// <summary><see cref="RateLimits"/> count what is below /v1.</summary>
    public bool IsLimited => description.RelativePath?.StartsWith("v1/", StringComparison.Ordinal) == true;

    private MethodInfo Handler => _metadata.OfType<MethodInfo>().First();

    private IEnumerable<string> BodyTypes => _metadata.OfType<IAcceptsMetadata>().SelectMany(body => body.ContentTypes);

    /// <summary>Does the handler have a parameter of that type?</summary>
    public bool Takes<T>() => Handler.GetParameters().Any(parameter => parameter.ParameterType == typeof(T));

    public Type? TypeOf(string parameter) =>
        Array.Find(Handler.GetParameters(), candidate => candidate.Name == parameter)?.ParameterType;

    /// <summary>Is a result of that type, which may be an open generic one, among those that the handler can return?</summary>
    public bool Returns(Type result) =>
        Outcomes(Handler.ReturnType)
            .Any(type => (type.IsGenericType ? type.GetGenericTypeDefinition() : type) == result);

    /// <summary>Every way in which the call can fail: its own, and those that all calls of its sort share.</summary>
    public IEnumerable<ProblemKind> Problems()
    {
        var problems = _metadata.OfType<ProblemKind>().ToHashSet();
        if (!IsAnonymous)
            problems.Add(ProblemKind.Unauthenticated);
        problems.Add(ProblemKind.InvalidToken);
        if (BodyTypes.Any())
            problems.UnionWith([ProblemKind.InvalidRequest, ProblemKind.UnsupportedMediaType]);
        if (BodyTypes.Contains("application/json"))
            problems.Add(ProblemKind.PayloadTooLarge);
        if (IsLimited)
            problems.Add(ProblemKind.RateLimited);
        if (IsFile)
            problems.Add(ProblemKind.OfStatus(StatusCodes.Status416RangeNotSatisfiable));
        problems.UnionWith([ProblemKind.InternalError, ProblemKind.Unavailable]);
        return problems;
    }

    /// <summary>Looks into <c>Task&lt;Results&lt;A, B&gt;&gt;</c>.</summary>
    private static IEnumerable<Type> Outcomes(Type type) =>
        type.IsGenericType
        && (type.GetGenericTypeDefinition() == typeof(Task<>) || type.IsAssignableTo(typeof(INestedHttpResult)))
            ? type.GetGenericArguments().SelectMany(Outcomes)
            : [type];
}
