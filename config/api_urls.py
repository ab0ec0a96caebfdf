"""The roof: the API's addresses, the same on a tenant's host and, by key, on the base host."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView

from apps.tenants.access.api.client import ci_client
from apps.tracking.api.urls import hook_urlpatterns
from config.description import Description
from config.error_page import error_page
from maestro.api.permissions import public_route
from maestro.mlflow.errors import endpoint_not_found

open_schema = public_route("the description of the API holds no tenant's data")

rest = [
    path("", include("apps.tenants.access.api.urls")),
    path("", include("apps.tracking.api.urls")),
    path("", include("apps.registry.api.urls")),
    path("", include("apps.recommendations.api.urls")),
]
urlpatterns = [
    path("api/v1/", include(rest)),
    path("ci/maestro", ci_client),
    path("hooks/", include(hook_urlpatterns)),
    path("api/schema/", Description.as_view(), name="schema"),
    path("api/docs/errors", error_page, name="errors"),
    path("api/docs/", open_schema(SpectacularSwaggerSplitView).as_view(url_name="schema"), name="docs"),
    path("", include("apps.registry.mlflow.urls")),
    path("", include("apps.tracking.mlflow.urls")),
    re_path(
        r"^(?:ajax-)?api/(?:2\.0|3\.0)/|^v1/traces|^(?:ajax-api/)?graphql|^(?:model-versions/)?get-artifact",
        endpoint_not_found,
    ),
]
