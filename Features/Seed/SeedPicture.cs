using System.Text;
using InstaSlice.Infrastructure.Processes;
using InstaSlice.Infrastructure.Storage;

namespace InstaSlice.Features.Seed;

/// <summary>A picture that belongs to nobody: hills under a sky, each drawn anew, and turned into a JPEG by libvips.</summary>
internal static class SeedPicture
{
    private const int Width = 1080;
    private const int Height = 1350;

    /// <returns>The JPEG's path in the scratch directory.</returns>
    public static async Task<string> DrawAsync(Random random, ScratchDirectory scratch, CancellationToken cancel)
    {
        await File.WriteAllTextAsync(scratch.File("picture.svg"), Draw(random), cancel);
        var vips = new ChildCommand("vips", ["copy", "picture.svg", "picture.jpg[Q=85]"], scratch.Path);
        var result = await ChildProcess.RunAsync(vips, cancel);
        return result.Succeeded
            ? scratch.File("picture.jpg")
            : throw new InvalidOperationException($"vips could not draw: {result.Error}");
    }

    private static string Draw(Random random)
    {
        var hue = random.Next(360);
        var svg = new StringBuilder();
        svg.Append(
            CultureInfo.InvariantCulture,
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{Height}">
            <defs><linearGradient id="sky" x2="0" y2="1">
            <stop offset="0" stop-color="hsl({hue},60%,35%)"/><stop offset="1" stop-color="hsl({(hue + 50)
                % 360},80%,75%)"/>
            </linearGradient></defs>
            <rect width="{Width}" height="{Height}" fill="url(#sky)"/>
            <circle cx="{random.Next(200, 880)}" cy="{random.Next(200, 600)}" r="{random.Next(60, 140)}" fill="hsl({(
                hue + 60
            ) % 360},90%,88%)"/>
            """
        );
        for (var layer = 0; layer < 4; layer++)
        {
            var y = 650 + (layer * 170);
            svg.Append(
                CultureInfo.InvariantCulture,
                $"<path fill=\"hsl({(hue + 200) % 360},35%,{45 - (layer * 10)}%)\" d=\"M0 {Height} L0 {y}"
            );
            for (var x = 180; x <= Width; x += 180)
                svg.Append(
                    CultureInfo.InvariantCulture,
                    $" Q{x - 90} {y - random.Next(-60, 160)} {x} {y + random.Next(-50, 50)}"
                );
            svg.Append(CultureInfo.InvariantCulture, $" L{Width} {Height} Z\"/>");
        }
        return svg.Append("</svg>").ToString();
    }
}
