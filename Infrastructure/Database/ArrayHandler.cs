using System.Data;
using Dapper;

namespace InstaSlice.Infrastructure.Database;

/// <summary>Lets Dapper fill a record's array: Npgsql reports a column's type as Array, which matches no parameter by itself.</summary>
internal sealed class ArrayHandler<T> : SqlMapper.TypeHandler<T[]>
{
    public override T[] Parse(object value) => (T[])value;

    public override void SetValue(IDbDataParameter parameter, T[]? value) => parameter.Value = value;
}
