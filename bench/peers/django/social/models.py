# The tables of ../../tables.sql. Where a key has two columns, the first one stands for it, since Django knows keys of one column alone.
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import CASCADE, Exists, ForeignKey, OuterRef, Subquery


class ProfileQuerySet(models.QuerySet):
    def seen_by(self, viewer):
        follows = Follow.objects.filter(follower=viewer, followee=OuterRef("pk"))
        followed_by = Follow.objects.filter(follower=OuterRef("pk"), followee=viewer, accepted=True)
        blocks = Block.objects.filter(blocker=viewer, blocked=OuterRef("pk"))
        return self.annotate(
            accepted=Subquery(follows.values("accepted")), followed_by=Exists(followed_by), blocks=Exists(blocks)
        )


class Profile(models.Model):
    id = models.BigIntegerField(primary_key=True)
    username = models.TextField(unique=True)
    display_name = models.TextField()
    avatar_url = models.TextField(null=True)
    avatar = models.JSONField()
    bio = models.TextField()
    website = models.TextField(null=True)
    is_private = models.BooleanField()
    created_at = models.DateTimeField()
    post_count = models.IntegerField()
    follower_count = models.IntegerField()
    following_count = models.IntegerField()

    objects = ProfileQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "profile"


class Follow(models.Model):
    follower = ForeignKey(Profile, CASCADE, primary_key=True, related_name="+")
    followee = ForeignKey(Profile, CASCADE, related_name="+")
    accepted = models.BooleanField()

    class Meta:
        managed = False
        db_table = "follow"


class Block(models.Model):
    blocker = ForeignKey(Profile, CASCADE, primary_key=True, related_name="+")
    blocked = ForeignKey(Profile, CASCADE, related_name="+")

    class Meta:
        managed = False
        db_table = "block"


class PostQuerySet(models.QuerySet):
    def seen_by(self, viewer):
        return (
            self.annotate(
                liked=Exists(PostLike.objects.filter(post=OuterRef("pk"), profile=viewer)),
                saved=Exists(Save.objects.filter(post=OuterRef("pk"), profile=viewer)),
            )
            .select_related("author")
            .prefetch_related("media")
        )


class Post(models.Model):
    id = models.BigIntegerField(primary_key=True)
    author = ForeignKey(Profile, CASCADE)
    caption = models.TextField()
    tags = ArrayField(models.TextField())
    mentions = ArrayField(models.TextField())
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    like_count = models.IntegerField()
    comment_count = models.IntegerField()

    objects = PostQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "post"


class Medium(models.Model):
    id = models.BigIntegerField(primary_key=True)
    post = ForeignKey(Post, CASCADE, related_name="media")
    position = models.SmallIntegerField()
    kind = models.TextField()
    status = models.TextField()
    failure = models.TextField(null=True)
    alt_text = models.TextField()
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    duration_ms = models.IntegerField(null=True)
    blurhash = models.TextField(null=True)
    variants = models.JSONField()
    url = models.TextField(null=True)
    content_type = models.TextField(null=True)
    bytes = models.BigIntegerField(null=True)
    sha256 = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "media"
        ordering = ["position"]


class CommentQuerySet(models.QuerySet):
    def seen_by(self, viewer):
        liked = CommentLike.objects.filter(comment=OuterRef("pk"), profile=viewer)
        return self.annotate(liked=Exists(liked)).select_related("author")


class Comment(models.Model):
    id = models.BigAutoField(primary_key=True)
    post = ForeignKey(Post, CASCADE)
    parent = ForeignKey("self", CASCADE, null=True)
    author = ForeignKey(Profile, CASCADE)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True)
    like_count = models.IntegerField(default=0)
    reply_count = models.IntegerField(default=0)

    objects = CommentQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "comment"


class PostLike(models.Model):
    post = ForeignKey(Post, CASCADE, primary_key=True, related_name="+")
    profile = ForeignKey(Profile, CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        managed = False
        db_table = "post_like"


class CommentLike(models.Model):
    comment = ForeignKey(Comment, CASCADE, primary_key=True, related_name="+")
    profile = ForeignKey(Profile, CASCADE, related_name="+")

    class Meta:
        managed = False
        db_table = "comment_like"


class Save(models.Model):
    post = ForeignKey(Post, CASCADE, primary_key=True, related_name="+")
    profile = ForeignKey(Profile, CASCADE, related_name="+")

    class Meta:
        managed = False
        db_table = "save"
