"""The tracking room's REST door for CI: new commits with their sizes, as `maestro-ci git report` tells them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.people.principal import acting
from apps.tracking.delivery.git import commits
from apps.tracking.delivery.git.commits import Size
from apps.tracking.delivery.payloads import SHA
from apps.tracking.scoping import projects_for
from maestro import limits
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Flag, Listed, StrictSerializer, Text, Whole

LINES = 2**40


class Sha(Text):
    """A commit's id."""

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is none."""
        read = super().to_internal_value(data)
        if not SHA.fullmatch(read):
            raise serializers.ValidationError("is not a commit's id", code="bad_commit")
        return read


class CommitFields(StrictSerializer):
    """A commit as `git log --shortstat` tells it."""

    id = Sha(max_length=64)
    parents = Listed(child=Sha(max_length=64), max_length=limits.COMMIT_PARENTS)
    committed = Whole(help_text="seconds since the epoch")
    email = Text(max_length=limits.NAME_CHARS, allow_blank=True, help_text="becomes a pseudonym; it is not kept")
    name = Text(max_length=limits.NAME_CHARS, allow_blank=True, help_text="as email")
    is_revert = Flag(required=False, default=False)
    files = Whole(required=False, default=0, min_value=0, max_value=LINES)
    additions = Whole(required=False, default=0, min_value=0, max_value=LINES)
    deletions = Whole(required=False, default=0, min_value=0, max_value=LINES)


class CommitsNew(StrictSerializer):
    """New commits, and the head of the main line that holds them."""

    head = Sha(max_length=64)
    commits = CommitFields(many=True, min_length=1, max_length=limits.COMMITS_AT_ONCE)  # type: ignore[call-arg]


class CommitsTaken(serializers.Serializer[Any]):
    """What became of them."""

    commits = serializers.IntegerField(help_text="those that the head holds")
    odd_dates = serializers.IntegerField(
        help_text="of those, how many have a date that cannot be; they are not measured"
    )


class CommitsKnown(serializers.Serializer[Any]):
    """How far a project's commits are known."""

    newest = serializers.CharField(allow_blank=True, help_text="the commit that landed last; empty for none")


class ProjectCommits(APIView):
    """A project's commits."""

    required_role = reading_and_writing()

    @extend_schema(operation_id="project_commits_get", responses=CommitsKnown)
    def get(self, request: Request, project: str) -> Response:
        """Say which commit landed last, so that a CI job tells what came after it."""
        return Response({"newest": commits.newest(projects_for(asking(request)).fetch(project))})

    @extend_schema(operation_id="project_commits_post", request=CommitsNew, responses={200: CommitsTaken})
    def post(self, request: Request, project: str) -> Response:
        """Take commits with their sizes. The same again changes nothing, in whatever order reports come."""
        found = projects_for(asking(request)).fetch(project)
        asked = CommitsNew(data=request.data)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data["commits"]
        parents = {one["id"]: tuple(one.pop("parents")) for one in told}
        sizes = [Size(sha=one.pop("id"), **one) for one in told]
        head, now = asked.validated_data["head"], timezone.now()
        done = commits.report(found, sizes, parents, head, by=acting(request), at=now)
        return Response({"commits": done.commits, "odd_dates": done.odd_dates})
