using System.Diagnostics;

namespace InstaSlice.Tests.Support;

/// <summary>The newest tag that leads to what is checked out, as git knows it. While there is none, nothing serves anywhere.</summary>
internal sealed class LastRelease(string tag)
{
    private readonly string _migrations = Git("ls-tree", "-r", "--name-only", tag, "Migrations/").Output;

    public static LastRelease? Find() =>
        Git("describe", "--tags", "--abbrev=0") is (0, var tag) ? new LastRelease(tag.Trim()) : null;

    public bool Carries(long version) => _migrations.Contains($"Migrations/{version}_", StringComparison.Ordinal);

    /// <summary>Whether the word stands anywhere in its sources: rather once too often than too rarely.</summary>
    public bool Names(string word) =>
        Git("grep", "-qwF", "-e", word, tag, "--", "Features", "Infrastructure").ExitCode == 0;

    private static (int ExitCode, string Output) Git(params string[] words)
    {
        using var git = Process.Start(
            new ProcessStartInfo("git", ["-C", Checkout.Root, .. words])
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        git.ErrorDataReceived += (_, _) => { };
        git.BeginErrorReadLine();
        var output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        return (git.ExitCode, output);
    }
}
