using System.Data;
using System.Data.Common;
using Dapper;

namespace InstaSlice.Infrastructure.Database;

/// <summary>How Dapper reads rows. It is set up with the first row that it is to read, since it takes some megabytes.</summary>
internal static class RowParsers
{
    static RowParsers()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.AddTypeHandler(new ArrayHandler<string>());
        SqlMapper.AddTypeHandler(new ArrayHandler<long>());
    }

    /// <summary>Of the columns from <paramref name="start"/> up to <paramref name="end"/>.</summary>
    public static Func<DbDataReader, T> Of<T>(DbDataReader rows, int start, int end) =>
        rows.GetRowParser<T>(startIndex: start, length: end - start, returnNullIfFirstMissing: start > 0);

    /// <summary>Lets Dapper fill a record's array: Npgsql reports a column's type as Array, which matches no parameter by itself.</summary>
    private sealed class ArrayHandler<T> : SqlMapper.TypeHandler<T[]>
    {
        public override T[] Parse(object value) => (T[])value;

        public override void SetValue(IDbDataParameter parameter, T[]? value) => parameter.Value = value;
    }
}
