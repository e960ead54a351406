namespace InstaSlice.Infrastructure.Http;

/// <summary>Overload, or a database that is away or too slow to answer: the client may try again. Becomes 503 with Retry-After.</summary>
public sealed class UnavailableException(string message, Exception? inner = null) : Exception(message, inner);
