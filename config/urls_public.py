"""The roof: the base host: the operators' admin and, by key, the APIs."""

from django.urls import include, path

from config.urls import to_admin
from maestro.admin import operator_site

urlpatterns = [
    path("", include("config.api_urls")),
    path("admin/", operator_site.urls),
    path("", to_admin.as_view(url="/admin/", permanent=False)),
]
