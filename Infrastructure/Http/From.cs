using Microsoft.AspNetCore.Http.Metadata;

namespace InstaSlice.Infrastructure.Http;

// ASP.NET Core's own of these names are MVC's, which would be loaded for nothing else. What binds, and describes, goes by the interfaces.

/// <summary>Binds a parameter from a header.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class FromHeaderAttribute : Attribute, IFromHeaderMetadata
{
    public string? Name { get; init; }
}

/// <summary>Binds a parameter from the body, also where the method does not say so.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class FromBodyAttribute : Attribute, IFromBodyMetadata;

/// <summary>How many bytes a request may bring, where that is more than usual.</summary>
internal sealed record RequestSizeLimit(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;
