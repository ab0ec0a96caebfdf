"""Routes of this door."""

from django.urls import URLPattern, URLResolver, path

from apps.tracking.api import projects

urlpatterns: list[URLPattern | URLResolver] = [
    path("projects/", projects.ProjectList.as_view()),
    path("projects/<str:project>/", projects.ProjectDetail.as_view()),
    path("projects/<str:project>/outcome/", projects.ProjectOutcome.as_view()),
    path("projects/<str:project>/members/", projects.MemberList.as_view()),
    path("projects/<str:project>/members/<str:username>/", projects.MemberDetail.as_view()),
]
