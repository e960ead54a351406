using System.ComponentModel.DataAnnotations;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.OpenApi;
using Microsoft.OpenApi;

namespace InstaSlice.Features.Profiles;

/// <summary>An absolute http or https URL of at most 2,048 characters.</summary>
internal sealed class WebsiteAttribute()
    : ValidationAttribute("Must be an absolute http or https URL of at most 2048 characters."),
        IDescribeSchema
{
    public override bool IsValid(object? value) =>
        value is not string text
        || (
            Text.Length(text) is > 0 and <= 2048
            && text.All(c => c > ' ')
            && Uri.TryCreate(text, UriKind.Absolute, out var url)
            && url.Scheme is "http" or "https"
            && url.Host.Length > 0
            && url.UserInfo.Length == 0
        );

    public void Describe(OpenApiSchema schema)
    {
        schema.MinLength = 1;
        schema.MaxLength = 2048;
        schema.Format = "uri";
        schema.Pattern = "^[hH][tT][tT][pP][sS]?://";
    }
}
