using System.Buffers.Binary;
using System.Net;
using InstaSlice.Infrastructure.Auth;
using InstaSlice.Infrastructure.Http;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Infrastructure.Auth;

public sealed class PasswordsTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task What_is_kept_of_a_password_is_a_slow_salted_hash()
    {
        foreach (var username in new[] { "nina", "otto" })
            (await Anonymous.PostAsync("/v1/accounts", new { username, password = "correct horse battery" })).Expect(
                HttpStatusCode.Created
            );

        var hashes = (await Service.QueryAsync<string>("select string_agg(password_hash, ' ') from credentials")).Split(
            ' '
        );
        Assert.Equal(2, hashes.Distinct().Count());
        foreach (var bytes in hashes.Select(Convert.FromBase64String))
        {
            // The framework's third format: PBKDF2, its PRF (2 is HMAC-SHA512), the iterations, the size of the salt.
            Assert.Equal(1, bytes[0]);
            Assert.Equal(2u, BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(1)));
            Assert.InRange(BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(5)), 210_000u, 10_000_000u);
            Assert.InRange(BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(9)), 16u, 64u);
        }
    }

    [Fact]
    public async Task Whoever_would_wait_for_too_long_is_told_that_there_are_too_many()
    {
        using var passwords = new Passwords();

        // Many more than a second and a half have room for, on any machine.
        var hashes = Enumerable
            .Range(0, 200 * Environment.ProcessorCount)
            .Select(_ => passwords.HashAsync("correct horse battery", Cancel))
            .ToArray();
        await Task.WhenAll(hashes).ContinueWith(_ => { }, TaskScheduler.Default);

        Assert.Contains(hashes, hash => hash.IsCompletedSuccessfully);
        var refused = hashes.Where(hash => hash.IsFaulted).ToList();
        Assert.NotEmpty(refused);
        Assert.All(refused, hash => Assert.IsType<UnavailableException>(hash.Exception!.InnerException));
        Assert.True(
            await passwords.VerifyAsync(await hashes.First(h => !h.IsFaulted), "correct horse battery", Cancel)
        );
    }
}
