from django.db import transaction
from django.db.models import F
from django.http import Http404
from rest_framework.generics import ListAPIView, ListCreateAPIView, RetrieveAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import APIView

from .models import Comment, Follow, Post, PostLike, Profile
from .serializers import CommentSerializer, PostSerializer, ProfileSerializer


def viewer_of(request):
    return int(request.headers["Viewer"])


class Pages(CursorPagination):
    page_size = 20

    def get_paginated_response(self, data):
        return Response({"items": data, "nextCursor": self.get_next_link()})


class NewestFirst(Pages):
    ordering = "-id"


class OldestFirst(Pages):
    ordering = "id"


class PostView(RetrieveAPIView):
    serializer_class = PostSerializer

    def get_queryset(self):
        return Post.objects.seen_by(viewer_of(self.request))


class FeedView(ListAPIView):
    serializer_class = PostSerializer
    pagination_class = NewestFirst

    def get_queryset(self):
        viewer = viewer_of(self.request)
        followed = Follow.objects.filter(follower=viewer, accepted=True).values_list("followee", flat=True)
        return Post.objects.filter(author__in=[viewer, *followed]).seen_by(viewer)


class CommentsView(ListCreateAPIView):
    serializer_class = CommentSerializer
    pagination_class = OldestFirst

    def get_queryset(self):
        return Comment.objects.filter(post=self.kwargs["pk"], parent=None).seen_by(viewer_of(self.request))

    @transaction.atomic
    def perform_create(self, serializer):
        post = self.kwargs["pk"]
        if not Post.objects.filter(pk=post).update(comment_count=F("comment_count") + 1):
            raise Http404
        serializer.instance = Comment.objects.create(
            post_id=post, author_id=viewer_of(self.request), **serializer.validated_data
        )


class ProfileView(RetrieveAPIView):
    serializer_class = ProfileSerializer
    lookup_field = "username"

    def get_queryset(self):
        return Profile.objects.seen_by(viewer_of(self.request))


class LikeView(APIView):
    @transaction.atomic
    def put(self, request, pk):
        _, added = PostLike.objects.get_or_create(post_id=pk, profile_id=viewer_of(request))
        return self.count(pk, 1 if added else 0)

    @transaction.atomic
    def delete(self, request, pk):
        removed, _ = PostLike.objects.filter(post=pk, profile=viewer_of(request)).delete()
        return self.count(pk, -removed)

    def count(self, pk, change):
        post = Post.objects.filter(pk=pk)
        if change:
            post.update(like_count=F("like_count") + change)
        return Response({"likeCount": post.values_list("like_count", flat=True).get()})
