from rest_framework.serializers import (
    BooleanField, CharField, DateTimeField, IntegerField, JSONField, ListField, Serializer, SerializerMethodField
)


class TimeField(DateTimeField):
    """In UTC, to the millisecond."""

    def to_representation(self, value):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class AuthorSerializer(Serializer):
    id = CharField()
    username = CharField()
    displayName = CharField(source="display_name")
    avatarUrl = CharField(source="avatar_url")


class MediumSerializer(Serializer):
    id = CharField()
    kind = CharField()
    status = CharField()
    failure = CharField()
    altText = CharField(source="alt_text")
    width = IntegerField()
    height = IntegerField()
    durationMs = IntegerField(source="duration_ms")
    blurhash = CharField()
    variants = JSONField()
    url = CharField()
    contentType = CharField(source="content_type")
    bytes = IntegerField()
    sha256 = CharField()


class PostViewerSerializer(Serializer):
    liked = BooleanField()
    saved = BooleanField()


class PostSerializer(Serializer):
    id = CharField()
    author = AuthorSerializer()
    caption = CharField()
    tags = ListField(child=CharField())
    mentions = ListField(child=CharField())
    media = MediumSerializer(many=True)
    createdAt = TimeField(source="created_at")
    editedAt = TimeField(source="edited_at")
    likeCount = IntegerField(source="like_count")
    commentCount = IntegerField(source="comment_count")
    viewer = PostViewerSerializer(source="*")


class CommentViewerSerializer(Serializer):
    liked = BooleanField(default=False)


class CommentSerializer(Serializer):
    id = CharField(read_only=True)
    postId = CharField(source="post_id", read_only=True)
    parentId = CharField(source="parent_id", read_only=True)
    author = AuthorSerializer(read_only=True)
    text = CharField(max_length=2200)
    createdAt = TimeField(source="created_at", read_only=True)
    editedAt = TimeField(source="edited_at", read_only=True)
    likeCount = IntegerField(source="like_count", read_only=True)
    replyCount = IntegerField(source="reply_count", read_only=True)
    viewer = CommentViewerSerializer(source="*", read_only=True)


class ProfileViewerSerializer(Serializer):
    follows = SerializerMethodField()
    followedBy = BooleanField(source="followed_by")
    blocks = BooleanField()

    def get_follows(self, profile):
        return {None: "no", False: "requested", True: "yes"}[profile.accepted]


class ProfileSerializer(AuthorSerializer):
    bio = CharField()
    website = CharField()
    isPrivate = BooleanField(source="is_private")
    createdAt = TimeField(source="created_at")
    postCount = IntegerField(source="post_count")
    followerCount = IntegerField(source="follower_count")
    followingCount = IntegerField(source="following_count")
    avatar = JSONField()
    viewer = ProfileViewerSerializer(source="*")
