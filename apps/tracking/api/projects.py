"""The tracking room's REST door: projects, their outcome and their people."""

from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.audit.recording import record
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tracking.actions import Act
from apps.tracking.api.serializers import (
    MemberNew,
    MemberShown,
    OutcomeNew,
    ProjectFacts,
    ProjectNew,
    ProjectShown,
)
from apps.tracking.models import Member, Project
from apps.tracking.scoping import projects_for, require_tenant_wide
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import object_in
from maestro.errors import AlreadyExists, NotFound

EXAMPLE = OpenApiExample(
    "churn",
    value={
        "slug": "churn",
        "name": "Churn",
        "problem_class": "classification",
        "complexity": 40,
        "dataset_facts": {"rows": 12000, "columns": 31, "missing_share": 0.04},
        "team": "growth",
        "team_size": 3,
        "goal_metric": "auc",
        "goal_worst": 0.5,
        "goal_best": 0.9,
    },
    request_only=True,
)
FILTERS = [
    OpenApiParameter("problem_class", str, enum=Project.ProblemClass.values),
    OpenApiParameter("team", str),
    OpenApiParameter("finished", bool, description="only projects with, or without, an outcome"),
]


def make_project(request: Request, fields: dict[str, Any]) -> Project:
    """Make a project. Raises AlreadyExists."""
    require_tenant_wide(asking(request), "make projects")
    try:
        with transaction.atomic():
            project = Project.objects.create(**({"name": fields["slug"]} | fields))
            record(request, Act.PROJECT_CREATE, subject=project, after=ProjectShown(project).data)
    except IntegrityError as error:
        raise AlreadyExists(f"the slug {fields['slug']!r} is taken") from error
    return project


def change_project(request: Request, project: Project, fields: dict[str, Any], action: Act) -> None:
    """Write changed fields, and who changed them, if anything differs."""
    changed = {name: value for name, value in fields.items() if getattr(project, name) != value}
    if not changed:
        return
    before = {name: getattr(project, name) for name in changed}
    with transaction.atomic():
        for name, value in changed.items():
            setattr(project, name, value)
        project.save(update_fields=[*changed])
        record(request, action, subject=project, before=before, after=changed)


class ProjectList(IdempotentPosts, GenericAPIView[Project]):
    """All projects, and new ones."""

    required_role = reading_and_writing()
    serializer_class = ProjectShown
    page_ordering = ("-created_at", "id")

    def get_queryset(self) -> Any:
        """Filter by the query's words."""
        found, query = projects_for(asking(self.request)), self.request.query_params
        for name in ("problem_class", "team"):
            if name in query:
                found = found.filter(**{name: query[name]})
        if "finished" in query:
            found = found.filter(success__isnull=query["finished"].lower() not in ("true", "1"))
        return found

    @extend_schema(operation_id="projects_list", parameters=FILTERS)
    def get(self, request: Request) -> Response:
        """List projects, newest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ProjectShown(page, many=True).data)

    @extend_schema(
        operation_id="projects_create", request=ProjectNew, responses={201: ProjectShown}, examples=[EXAMPLE]
    )
    def post(self, request: Request) -> Response:
        """Make a project. A taken slug is 409."""
        asked = ProjectNew(data=request.data)
        asked.is_valid(raise_exception=True)
        return tagged(request, ProjectShown(make_project(request, asked.validated_data)).data, status=201)


class ProjectDetail(GenericAPIView[Project]):
    """One project, by id or slug."""

    required_role = reading_and_writing()
    serializer_class = ProjectShown

    @extend_schema(operation_id="projects_get")
    def get(self, request: Request, project: str) -> Response:
        """Show a project."""
        return tagged(request, ProjectShown(projects_for(asking(request)).fetch(project)).data)

    @extend_schema(operation_id="projects_put", request=ProjectFacts, responses={200: ProjectShown, 201: ProjectShown})
    def put(self, request: Request, project: str) -> Response:
        """Make a project with this slug unless it is there. The same again is 200, other facts are 409."""
        asked = ProjectNew(data={**object_in(request), "slug": project})
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        try:
            return tagged(request, ProjectShown(make_project(request, fields)).data, status=201)
        except AlreadyExists:
            found = projects_for(asking(request)).fetch(project)
        different = sorted(name for name, value in fields.items() if getattr(found, name) != value)
        if different:
            raise AlreadyExists(f"this project has another {', '.join(different)}; PATCH changes it")
        return tagged(request, ProjectShown(found).data)

    @extend_schema(operation_id="projects_patch", request=ProjectFacts, responses=ProjectShown)
    def patch(self, request: Request, project: str) -> Response:
        """Change facts of a project. If-Match guards against a lost update."""
        with transaction.atomic():
            found = projects_for(asking(request)).select_for_update().fetch(project)
            check_match(request, ProjectShown(found).data, required=False)
            asked = ProjectFacts(found, data=request.data, partial=True)
            asked.is_valid(raise_exception=True)
            change_project(request, found, asked.validated_data, Act.PROJECT_CHANGE)
        return tagged(request, ProjectShown(found).data)


class ProjectOutcome(GenericAPIView[Project]):
    """How a project went."""

    required_role = reading_and_writing()
    serializer_class = ProjectShown

    @extend_schema(operation_id="projects_outcome_get")
    def get(self, request: Request, project: str) -> Response:
        """Show the outcome; 404 while there is none."""
        shown = ProjectShown(projects_for(asking(request)).fetch(project)).data["outcome"]
        if shown is None:
            raise NotFound("this project has no outcome yet")
        return tagged(request, shown)

    @extend_schema(operation_id="projects_outcome_put", request=OutcomeNew, responses=ProjectShown)
    def put(self, request: Request, project: str) -> Response:
        """Record how the project went. The same again changes nothing."""
        asked = OutcomeNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        said = {
            "outcome_rule": fields.pop("rule", ""),
            "outcome_source": fields.pop("source", Project.OutcomeSource.PERSON),
        }
        with transaction.atomic():
            found = projects_for(asking(request)).select_for_update().fetch(project)
            values = fields | said
            if any(getattr(found, name) != value for name, value in values.items()):
                values |= {"outcome_set_by": str(asking(request)), "outcome_set_at": timezone.now()}
                change_project(request, found, values, Act.PROJECT_OUTCOME)
        return tagged(request, ProjectShown(found).data)


class MemberList(GenericAPIView[Member]):
    """A project's people."""

    required_role = reading_and_writing()
    serializer_class = MemberShown
    page_ordering = ("id",)

    @extend_schema(operation_id="members_list")
    def get(self, request: Request, project: str) -> Response:
        """List a project's people."""
        members = Member.objects.select_related("user").filter(project=projects_for(asking(request)).fetch(project))
        return self.get_paginated_response(MemberShown(self.paginate_queryset(members), many=True).data)


class MemberDetail(GenericAPIView[Member]):
    """One person's part in a project."""

    required_role = reading_and_writing()
    serializer_class = MemberShown

    @extend_schema(operation_id="members_put", request=MemberNew, responses={200: MemberShown, 201: MemberShown})
    def put(self, request: Request, project: str, username: str) -> Response:
        """Put a person of this tenant into the project, or change their title."""
        asked = MemberNew(data=request.data)
        asked.is_valid(raise_exception=True)
        with transaction.atomic():
            found = projects_for(asking(request)).fetch(project)
            user = User.objects.filter(username=username).first()
            if user is None:
                raise NotFound("there is no such person")
            old = Member.objects.select_related("user").filter(project=found, user=user).first()
            before = None if old is None else MemberShown(old).data
            member, made = Member.objects.update_or_create(project=found, user=user, defaults=asked.validated_data)
            after = MemberShown(member).data
            if before != after:
                record(request, Act.MEMBER_PUT, subject=member, before=before, after=after)
        return Response(MemberShown(member).data, status=201 if made else 200)

    @extend_schema(operation_id="members_delete", responses={204: None})
    def delete(self, request: Request, project: str, username: str) -> Response:
        """Take a person out of the project."""
        with transaction.atomic():
            found = projects_for(asking(request)).fetch(project)
            member = Member.objects.filter(project=found, user__username=username).first()
            if member is None:
                raise NotFound("there is no such member")
            record(request, Act.MEMBER_DELETE, subject=member, before=MemberShown(member).data)
            member.delete()
        return Response(status=204)
