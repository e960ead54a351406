namespace InstaSlice.Infrastructure.Running;

/// <summary>The service cannot start, and its operator can do something about it: shown as one line, without a stack.</summary>
public class StartupException(string message, Exception? inner = null) : Exception(message, inner);
