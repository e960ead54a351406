using System.Runtime.CompilerServices;
using Npgsql;

namespace InstaSlice.Infrastructure.Database;

/// <summary>
/// Keeps one statement from holding every connection while it waits for a locked table: a fifth of the pool is always left to others.
/// Each time that it has no answer, it may hold one connection less, down to one, and all again once it is answered; who asks for it
/// meanwhile waits out here, where nothing is held. What is asked again since it failed with others, most often because a row is held, may
/// hold no more than that fifth: who comes anew does not wait behind it.
/// </summary>
/// <remarks>After M. Nygard, "Release It!": Bulkheads.</remarks>
internal sealed class Bulkhead
{
    private static readonly ConditionalWeakTable<NpgsqlDataSource, Pool> Pools = [];

    private readonly Lock _lock = new();
    private readonly int _share;
    private readonly SemaphoreSlim _free;
    private int _withheld;

    private Bulkhead(int share) => (_share, _free) = (share, new SemaphoreSlim(share));

    public static Bulkhead Of(NpgsqlDataSource db, string sql, bool again) =>
        Pools.GetValue(db, static db => new Pool(db)).Of(sql, again);

    public Task EnterAsync(CancellationToken cancel) => _free.WaitAsync(cancel);

    /// <param name="answered">Null where it was not asked, or not to the end.</param>
    public void Leave(bool? answered)
    {
        lock (_lock)
        {
            if (answered is false && _withheld < _share - 1)
            {
                _withheld++;
                return;
            }
            var all = answered is true ? _withheld : 0;
            _withheld -= all;
            _free.Release(1 + all);
        }
    }

    private sealed class Pool(NpgsqlDataSource db)
    {
        private readonly int _size = new NpgsqlConnectionStringBuilder(db.ConnectionString).MaxPoolSize;

        /// <summary>By which text it is and not by what it says, which costs nothing: texts are constants.</summary>
        private readonly ConditionalWeakTable<string, Bulkhead> _first = [],
            _again = [];

        public Bulkhead Of(string sql, bool again)
        {
            var known = again ? _again : _first;
            return known.TryGetValue(sql, out var found)
                ? found
                : known.GetValue(sql, _ => new Bulkhead(Math.Max(1, again ? _size / 5 : _size * 4 / 5)));
        }
    }
}
