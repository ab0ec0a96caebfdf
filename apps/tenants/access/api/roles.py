"""The access room's REST door: who has which role in a project."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.models import ProjectRole
from apps.tenants.access.people import project_roles
from apps.tenants.access.people.principal import acting
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import StrictSerializer
from maestro.principals import ROLES


class RoleGiven(StrictSerializer):
    """A role to be given."""

    role = serializers.ChoiceField(choices=ROLES)


class RoleShown(serializers.ModelSerializer[ProjectRole]):
    """A person's role in a project. A higher one in the tenant counts there too."""

    username = serializers.CharField(source="user.username")

    class Meta:
        model = ProjectRole
        fields = ("username", "role")
        read_only_fields = fields


class ProjectRoles(GenericAPIView[ProjectRole]):
    """The roles in a project."""

    required_role = {"GET": "admin", "HEAD": "admin", "OPTIONS": "admin"}
    serializer_class = RoleShown
    page_ordering = ("id",)
    queryset = ProjectRole.objects.none()

    @extend_schema(operation_id="project_roles_list")
    def get(self, request: Request, project: str) -> Response:
        """List who has a role of their own in a project."""
        identity = project_roles.project_within(asking(request), project)
        rows = ProjectRole.objects.select_related("user").filter(project_id=identity)
        return self.get_paginated_response(RoleShown(self.paginate_queryset(rows), many=True).data)


class ProjectRoleOf(GenericAPIView[ProjectRole]):
    """One person's role in a project."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = RoleShown
    queryset = ProjectRole.objects.none()

    @extend_schema(operation_id="project_roles_put", request=RoleGiven, responses={200: RoleShown, 201: RoleShown})
    def put(self, request: Request, project: str, username: str) -> Response:
        """Give a person a role in a project, at most your own there."""
        asked = RoleGiven(data=request.data)
        asked.is_valid(raise_exception=True)
        by, given = acting(request), asked.validated_data
        row, is_new = project_roles.grant(by, username, project=project_roles.project_within(by.who, project), **given)
        return Response(RoleShown(row).data, status=201 if is_new else 200)

    @extend_schema(operation_id="project_roles_delete", responses={204: None})
    def delete(self, request: Request, project: str, username: str) -> Response:
        """Take a person's role in a project back."""
        by = acting(request)
        project_roles.withdraw(by, username, project=project_roles.project_within(by.who, project))
        return Response(status=204)
