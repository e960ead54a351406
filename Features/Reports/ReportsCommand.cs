using InstaSlice.Features.Accounts;
using InstaSlice.Infrastructure.Database;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Infrastructure.Running;
using Npgsql;

namespace InstaSlice.Features.Reports;

/// <summary><c>reports list</c>, <c>reports remove ID</c>, <c>reports dismiss ID</c>: what an operator does about reports.</summary>
public static class ReportsCommand
{
    private const string Open = """
        select r.id, r.created_at, r.kind, coalesce(r.post_id, r.comment_id, r.profile_id) as target_id, r.reason, r.note,
            reporter.username as reporter, author.username as author, coalesce(p.caption, c.text, author.bio, '') as text
        from reports r
        join profiles reporter on reporter.id = r.reporter_id
        left join posts p on p.id = r.post_id
        left join comments c on c.id = r.comment_id
        left join profiles author on author.id = coalesce(p.author_id, c.author_id, r.profile_id)
        where r.status = 'open' and r.id > @after
        order by r.id limit 500
        """;

    // All that is open about the same thing is decided with it. What hangs on a post or comment goes by cascades, with its counters.
    private const string Decide = """
        with report as (select * from reports where id = @id and status = 'open' for update),
        decided as (
            update reports r set status = @status, decided_at = now() from report
            where r.id = report.id
               or (r.status = 'open' and (r.post_id = report.post_id or r.comment_id = report.comment_id or r.profile_id = report.profile_id))
            returning r.id),
        post as (delete from posts p using report where p.id = report.post_id and @status = 'removed'),
        comment as (delete from comments c using report where c.id = report.comment_id and @status = 'removed')
        select report.kind, profile.username, (select count(*) from decided) as reports
        from report left join profiles profile on profile.id = report.profile_id
        """;

    /// <summary>A post goes with its likes and comments, which may be many.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static async Task<int> RunAsync(WebApplication app, string[] words, CancellationToken cancel)
    {
        var db = app.Services.GetRequiredService<NpgsqlDataSource>();
        switch (words)
        {
            case ["list"]:
                await ListAsync(db, cancel);
                return 0;
            case ["remove", var id]:
                var removed = await DecideAsync(db, id, "removed", cancel);
                if (removed.Username is { } name)
                    await AccountsCommand.SuspendAsync(db, name, cancel);
                await Console.Out.WriteLineAsync(
                    removed.Username is null
                        ? $"The {removed.Kind} is removed, and {removed.Reports} reports of it are closed."
                        : $"{removed.Username} is suspended, and {removed.Reports} reports of it are closed."
                );
                return 0;
            case ["dismiss", var id]:
                var dismissed = await DecideAsync(db, id, "dismissed", cancel);
                await Console.Out.WriteLineAsync(
                    $"The {dismissed.Kind} stays, and {dismissed.Reports} reports of it are closed."
                );
                return 0;
            default:
                throw new StartupException("Usage: reports list | reports remove ID | reports dismiss ID");
        }
    }

    private static async Task ListAsync(NpgsqlDataSource db, CancellationToken cancel)
    {
        var after = 0L;
        while (await db.ListAsync<OpenReport>(Open, new { after }, cancel) is { Count: > 0 } reports)
        {
            foreach (var r in reports)
                await Console.Out.WriteLineAsync(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{r.Id}  {r.CreatedAt:yyyy-MM-dd HH:mm}  {r.Kind} {r.TargetId} of {r.Author}  {r.Reason}, says {r.Reporter}: \"{OneLine(r.Note)}\"  about: \"{OneLine(r.Text)}\""
                    )
                );
            after = reports[^1].Id;
        }
    }

    private static async Task<Decision> DecideAsync(
        NpgsqlDataSource db,
        string id,
        string status,
        CancellationToken cancel
    ) =>
        Id.TryParse(id, out var report)
        && await db.FirstAsync<Decision>(Decide, new { id = report.Value, status }, cancel, Deadline) is { } decision
            ? decision
            : throw new StartupException($"There is no open report '{id}'.");

    /// <summary>Nothing that a stranger wrote moves the cursor of a terminal, begins a line, or turns the direction of one.</summary>
    private static string OneLine(string text)
    {
        var line = string.Concat(
            text.Select(c =>
                char.IsControl(c)
                || char.GetUnicodeCategory(c)
                    is UnicodeCategory.Format
                        or UnicodeCategory.LineSeparator
                        or UnicodeCategory.ParagraphSeparator
                    ? ' '
                    : c
            )
        );
        return line.Length <= 200 ? line : line[..200] + " …";
    }

    private sealed record OpenReport(
        long Id,
        DateTime CreatedAt,
        string Kind,
        long TargetId,
        string Reason,
        string Note,
        string Reporter,
        string Author,
        string Text
    );

    private sealed record Decision(string Kind, string? Username, long Reports);
}
