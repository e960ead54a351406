var builder = WebApplication.CreateBuilder(args);
var app = builder.Build();
app.MapGet("/", () => "InstaSlice");
await app.RunAsync();
