using System.ComponentModel.DataAnnotations;
using InstaSlice.Infrastructure.Http;

namespace InstaSlice.Features.Profiles;

/// <summary>An absolute http or https URL of at most 2,048 characters.</summary>
internal sealed class WebsiteAttribute()
    : ValidationAttribute("Must be an absolute http or https URL of at most 2048 characters.")
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
}
