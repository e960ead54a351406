using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using InstaSlice.Infrastructure.OpenApi;
using Microsoft.OpenApi;

namespace InstaSlice.Features.Accounts;

/// <summary>1–30 of <c>a-z 0-9 . _</c>, no leading, trailing or doubled dot, and no name that could be taken for the service's own.</summary>
internal sealed partial class UsernameAttribute : ValidationAttribute, IDescribeSchema
{
    private static readonly HashSet<string> Reserved =
    [
        .. """
            about account accounts admin administrator api app assets auth blog comment comments contact docs events explore feed follow
            health help home instagram instaslice legal like likes login logout me media moderator notifications null openapi post posts
            press privacy profile profiles register reports root search security sessions settings signup staff static status support
            system tag tags terms undefined v1 v2 webmaster www
            """.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries),
    ];

    public override bool IsValid(object? value) =>
        value is string name && Shape().IsMatch(name) && !Reserved.Contains(name.ToLowerInvariant());

    public override string FormatErrorMessage(string name) =>
        "Must be 1 to 30 of a-z, 0-9, '.' and '_', without a dot at either end or two in a row, and not a reserved word.";

    public void Describe(OpenApiSchema schema)
    {
        schema.MinLength = 1;
        schema.MaxLength = 30;
        schema.Pattern = @"^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$";
    }

    [GeneratedRegex(@"\A(?!\.)(?!.*\.\.)[a-zA-Z0-9._]{1,30}(?<!\.)\z", RegexOptions.CultureInvariant)]
    private static partial Regex Shape();
}
