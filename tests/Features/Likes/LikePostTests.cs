using System.Net;
using InstaSlice.Tests.Support;

namespace InstaSlice.Tests.Features.Likes;

public sealed class LikePostTests(Service service) : ServiceTest(service)
{
    [Fact]
    public async Task A_like_given_twice_counts_once()
    {
        var author = await SignUpAsync("author");
        var fan = await SignUpAsync("fan");
        var post = await Builders.PostAsync(Service, author);

        var first = await fan.PutAsync($"/v1/posts/{post}/like");
        var second = await fan.PutAsync($"/v1/posts/{post}/like");

        Assert.Equal("""{"likeCount":1}""", first.Expect(HttpStatusCode.OK).Text);
        Assert.Equal("""{"likeCount":1}""", second.Expect(HttpStatusCode.OK).Text);
        Assert.True((bool)(await fan.GetAsync($"/v1/posts/{post}"))["viewer"]!["liked"]!);
    }

    [Fact]
    public async Task A_hundred_likes_and_unlikes_at_once_leave_the_counter_equal_to_the_rows()
    {
        var author = await SignUpAsync("author");
        var post = await Builders.PostAsync(Service, author);
        var fans = new List<Client>();
        for (var i = 0; i < 10; i++)
            fans.Add(await SignUpAsync("fan" + i));

        var replies = await Task.WhenAll(
            Enumerable
                .Range(0, 100)
                .Select(i =>
                    i % 3 == 2
                        ? fans[i % 10].DeleteAsync($"/v1/posts/{post}/like")
                        : fans[i % 10].PutAsync($"/v1/posts/{post}/like")
                )
        );

        Assert.All(replies, reply => reply.Expect(HttpStatusCode.OK));
        var rows = await Service.QueryAsync<long>("select count(*) from post_likes");
        Assert.Equal(rows, await Service.QueryAsync<long>("select like_count from post_counters"));
        Assert.Equal(rows, (long)(await Anonymous.GetAsync($"/v1/posts/{post}"))["likeCount"]!);
    }
}
