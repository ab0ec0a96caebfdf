"""The access room's REST door: people's tokens, and who is asking."""

from dataclasses import asdict
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.api.serializers import PairShown, Refresh, SignIn, Whoami
from apps.tenants.access.keys import tokens
from apps.tenants.access.people.principal import acting, principal_of_person
from apps.tenants.access.sign_in import second_factor
from apps.tenants.routing import this_tenant
from maestro.api.permissions import asking, public_route
from maestro.errors import Forbidden, Unauthenticated


class OpenView(GenericAPIView[Any]):
    """A view for those who have no credential yet; one that they send all the same is not looked at."""

    authentication_classes = ()


@public_route("a person signs in with name and password; locked out by account and address")
class Token(OpenView):
    """A person's program signs in."""

    serializer_class = SignIn

    @extend_schema(operation_id="auth_token", request=SignIn, responses=PairShown)
    def post(self, request: Request) -> Response:
        """Trade name and password for ten minutes of access and a refresh token."""
        this_tenant()
        asked = SignIn(data=request.data)
        asked.is_valid(raise_exception=True)
        code = asked.validated_data.pop("code", "")
        person = authenticate(request._request, **asked.validated_data)
        if not isinstance(person, User):
            raise Unauthenticated("the name or the password is wrong")
        principal_of_person(person)
        require_second_factor(request, person, code)
        return Response(asdict(tokens.sign_in(person, by=acting(request._request), at=timezone.now())))


def require_second_factor(request: Request, person: User, code: str) -> None:
    """Ask for the second factor of who has one. Raises Unauthenticated, TooMany, or Forbidden if one is demanded."""
    identity, is_required = second_factor.standing_of(person)
    if identity is None and is_required:
        raise Forbidden("set up a second factor first, on your tenant's pages", "second_factor_missing")
    if identity is None:
        return
    if not code:
        raise Unauthenticated("send the code of your authenticator app as `code`", "second_factor_required")
    if second_factor.check(person, code, by=acting(request._request), at=timezone.now()) is None:
        raise Unauthenticated("the code is wrong, or it was used before", "second_factor_wrong")


@public_route("a refresh token is the credential, and works once")
class TokenRefresh(OpenView):
    """A person's program goes on."""

    serializer_class = Refresh

    @extend_schema(operation_id="auth_refresh", request=Refresh, responses=PairShown)
    def post(self, request: Request) -> Response:
        """Trade a refresh token for a new pair. Used a second time, it ends everything that came from that sign-in."""
        this_tenant()
        asked = Refresh(data=request.data)
        asked.is_valid(raise_exception=True)
        _, pair = tokens.renew(asked.validated_data["refresh"], by=acting(request._request), at=timezone.now())
        return Response(asdict(pair))


@public_route("signing out needs no more than the refresh token; an unknown one is answered alike")
class TokenRevoke(OpenView):
    """A person's program signs out."""

    serializer_class = Refresh

    @extend_schema(operation_id="auth_logout", request=Refresh, responses={204: None})
    def post(self, request: Request) -> Response:
        """End every token of this sign-in."""
        this_tenant()
        asked = Refresh(data=request.data)
        asked.is_valid(raise_exception=True)
        tokens.sign_out(asked.validated_data["refresh"], by=acting(request._request), at=timezone.now())
        return Response(status=204)


class WhoamiView(GenericAPIView[Any]):
    """Who is asking."""

    required_role = "viewer"
    serializer_class = Whoami

    @extend_schema(operation_id="auth_whoami", responses=Whoami)
    def get(self, request: Request) -> Response:
        """Say as whom, in which tenant and with which rights the caller is known."""
        who = asking(request)
        return Response(
            {
                "kind": who.kind,
                "id": who.id,
                "name": who.name,
                "role": "" if who.kind == "person" and who.projects is not None else who.role,
                "tenant": this_tenant().slug,
                "project": who.projects[0] if who.projects and who.kind != "person" else None,
                "project_roles": {str(project): role for project, role in who.project_roles.items()},
                "scopes": sorted(who.scopes),
            }
        )
