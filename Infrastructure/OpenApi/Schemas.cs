using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using InstaSlice.Infrastructure.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace InstaSlice.Infrastructure.OpenApi;

/// <summary>
/// The types. Texts, times and ids go through converters of ours, of which the framework cannot know what they take, so they are
/// described here; so are the limits, which validation reads off the same attributes.
/// </summary>
internal static class Schemas
{
    private const string Time = nameof(Time);

    /// <summary>Where the framework keeps <see cref="NameOf"/>.</summary>
    private const string NameKey = "x-schema-id";

    /// <summary>The name under which a type is described among the components; null where it is described in place.</summary>
    public static string? NameOf(JsonTypeInfo type) =>
        IsWritten(type.Type) ? null
        : Plain(type.Type) == typeof(DateTime) ? Time
        : type.Type.GetCustomAttribute<DisplayNameAttribute>()?.DisplayName
            ?? OpenApiOptions.CreateDefaultSchemaReferenceId(type);

    public static async Task DescribeAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context)
    {
        var type = context.JsonTypeInfo;
        if (type.Type == typeof(Id?) && schema.Metadata?.ContainsKey(NameKey) != true)
        {
            await DescribeOptionalIdAsync(schema, context);
            return;
        }
        if (IsWritten(type.Type))
        {
            var list = await context.GetOrCreateSchemaAsync(type.Type.GetGenericArguments()[0]);
            (schema.Type, schema.Items, schema.Description) = (list.Type, list.Items, list.Description);
        }
        DescribeType(schema, type.Type);
        if (type.Kind is JsonTypeInfoKind.Enumerable)
            schema.Items ??= await context.GetOrCreateSchemaAsync(type.ElementType!);
        if (context.JsonPropertyInfo is { } property)
            DescribeLimits(schema, property);
        // Requests are closed. Answers may get more members, as the contract says.
        if (context.ParameterDescription is null)
            schema.AdditionalPropertiesAllowed = true;
    }

    /// <summary>The framework loses what a parameter with the default null refers to.</summary>
    private static async Task DescribeOptionalIdAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context) =>
        schema.OneOf = [
            new OpenApiSchema { Type = JsonSchemaType.Null },
            await context.GetOrCreateSchemaAsync(typeof(Id)),
        ];

    private static void DescribeType(OpenApiSchema schema, Type type)
    {
        if (Plain(type) == typeof(DateTime))
        {
            schema.Type = JsonSchemaType.String;
            schema.Format = "date-time";
            schema.Description = "RFC 3339, in UTC, with milliseconds.";
            schema.Examples = ["2026-11-21T18:27:23.970Z"];
        }
        else if (Plain(type) == typeof(Id))
        {
            schema.Type = JsonSchemaType.String;
            schema.Pattern = "^[1-9][0-9]{0,18}$";
            schema.Examples = ["231928347192401920"];
        }
        else if (type == typeof(string) || type.IsEnum)
        {
            schema.Type = JsonSchemaType.String;
        }
        else if (type == typeof(IFormFile))
        {
            schema.Metadata?.Remove(NameKey);
        }
    }

    private static void DescribeLimits(OpenApiSchema schema, JsonPropertyInfo property)
    {
        if (property.PropertyType == typeof(string) && property.IsGetNullable)
            schema.Type |= JsonSchemaType.Null;
        if (property.CustomConverter is PasswordConverter)
            schema.Format = "password";
        foreach (var attribute in property.AttributeProvider?.GetCustomAttributes(inherit: true) ?? [])
        {
            switch (attribute)
            {
                case StringLengthAttribute length:
                    schema.MinLength = length.MinimumLength > 0 ? length.MinimumLength : null;
                    schema.MaxLength = length.MaximumLength;
                    break;
                case AllowedValuesAttribute allowed:
                    schema.Enum = [.. allowed.Values.Select(value => (JsonNode)JsonValue.Create((string)value!))];
                    break;
                case IDescribeSchema limit:
                    limit.Describe(schema);
                    break;
            }
        }
    }

    private static bool IsWritten(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Written<>);

    private static Type Plain(Type type) => Nullable.GetUnderlyingType(type) ?? type;
}

/// <summary>A limit of the service's own that can say what it is in JSON Schema.</summary>
public interface IDescribeSchema
{
    void Describe(OpenApiSchema schema);
}
