"""The roof: the base host: the operators' admin and, by key, the APIs."""

from django.urls import include, path

from config.urls import to_admin
from maestro.admin.sites import operator_site

urlpatterns = [
    path("", include("config.api_urls")),
    path("admin/", operator_site.urls),
    path("", to_admin.as_view(url="/admin/", permanent=False)),
]

handler400 = "maestro.http.pages.bad_request"
handler403 = "maestro.http.pages.permission_denied"
handler404 = "maestro.http.pages.page_not_found"
handler500 = "maestro.http.pages.server_error"
