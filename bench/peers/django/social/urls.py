from django.urls import path

from .views import CommentsView, FeedView, LikeView, PostView, ProfileView

urlpatterns = [
    path("v1/feed", FeedView.as_view()),
    path("v1/posts/<int:pk>", PostView.as_view()),
    path("v1/posts/<int:pk>/comments", CommentsView.as_view()),
    path("v1/posts/<int:pk>/like", LikeView.as_view()),
    path("v1/profiles/<str:username>", ProfileView.as_view()),
]
