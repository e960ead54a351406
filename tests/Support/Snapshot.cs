namespace InstaSlice.Tests.Support;

/// <summary>Everything that is in the database, as one line: two that are equal say that nothing changed in between.</summary>
internal static class Snapshot
{
    private const string OneTableEach = """
        select string_agg(format(
            'select %L || '' '' || count(*) || '' '' || coalesce(md5(string_agg(t::text, '','' order by t::text)), ''-'') as line from %I t',
            tablename, tablename), ' union all ')
        from pg_tables where schemaname = 'public' and tablename not like 'explore%' -- which a job writes by itself
        """;

    public static async Task<string> TakeAsync(Service service)
    {
        // What was done before is folded into notifications in the background.
        await Eventually.TrueAsync(
            () => service.QueryAsync<bool>("select not exists (select from notification_outbox)"),
            "the outbox was empty"
        );
        var tables = await service.QueryAsync<string>(OneTableEach);
        return await service.QueryAsync<string>(
            $"select string_agg(line, e'\\n' order by line) from ({tables}) tables"
        );
    }
}
