"""The tracking room's REST door: projects, their outcome and their people."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking import outcomes, projects
from apps.tracking.api.serializers import (
    MemberNew,
    MemberShown,
    OutcomeNew,
    ProjectFacts,
    ProjectNew,
    ProjectShown,
)
from apps.tracking.models import Member, Project
from apps.tracking.scoping import projects_for
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.queries import choice, flag
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


class ProjectList(IdempotentPosts, GenericAPIView[Project]):
    """All projects, and new ones."""

    required_role = reading_and_writing()
    serializer_class = ProjectShown
    page_ordering = ("-created_at", "id")

    def get_queryset(self) -> Any:
        """Filter by the query's words."""
        found, query = projects_for(asking(self.request)), self.request.query_params
        if problem_class := choice(self.request, "problem_class", Project.ProblemClass.values):
            found = found.filter(problem_class=problem_class)
        if "team" in query:
            found = found.filter(team=query["team"])
        finished = flag(self.request, "finished")
        return found if finished is None else found.filter(success__isnull=not finished)

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
        return tagged(request, ProjectShown(projects.make(asked.validated_data, acting(request))).data, status=201)


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
            return tagged(request, ProjectShown(projects.make(fields, acting(request))).data, status=201)
        except AlreadyExists:
            found = projects_for(asking(request)).fetch(project)
        different = sorted(name for name, value in fields.items() if getattr(found, name) != value)
        if different:
            raise AlreadyExists(f"this project has another {', '.join(different)}; PATCH changes it")
        return tagged(request, ProjectShown(found).data)

    @extend_schema(operation_id="projects_patch", request=ProjectFacts, responses=ProjectShown)
    def patch(self, request: Request, project: str) -> Response:
        """Change facts of a project. If-Match guards against a lost update."""

        def read(held: Project) -> dict[str, Any]:
            check_match(request, ProjectShown(held).data, required=False)
            asked = ProjectFacts(held, data=request.data, partial=True)
            asked.is_valid(raise_exception=True)
            return asked.validated_data

        found = projects.change(project, read, acting(request))
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
        said = outcomes.Said(
            fields.pop("success"), fields.pop("source", outcomes.PERSON), fields.pop("rule", ""), fields
        )
        found = projects_for(asking(request)).fetch(project)
        found = outcomes.set_outcome(found, said, by=acting(request), at=timezone.now())
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
        member, made = projects.put_member(project, username, asked.validated_data, acting(request))
        return Response(MemberShown(member).data, status=201 if made else 200)

    @extend_schema(operation_id="members_delete", responses={204: None})
    def delete(self, request: Request, project: str, username: str) -> Response:
        """Take a person out of the project."""
        projects.drop_member(project, username, acting(request))
        return Response(status=204)
