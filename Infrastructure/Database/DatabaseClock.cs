namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// The database's time: the one clock that all instances share, by which what one of them signs is good for another, however wrong
/// the clocks of their machines are. Between two looks at it the monotonic clock goes on; before the first it is the machine's own.
/// </summary>
public sealed class DatabaseClock : TimeProvider
{
    private Look? _last;

    public override DateTimeOffset GetUtcNow() =>
        Volatile.Read(ref _last) is { } last ? last.Now + GetElapsedTime(last.Timestamp) : base.GetUtcNow();

    /// <param name="now">What the database said.</param>
    /// <param name="asked">When it was asked, by <see cref="TimeProvider.GetTimestamp"/>.</param>
    public void Set(DateTime now, long asked) => Volatile.Write(ref _last, new Look(new DateTimeOffset(now), asked));

    private sealed record Look(DateTimeOffset Now, long Timestamp);
}
