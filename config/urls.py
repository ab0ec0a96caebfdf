"""The roof: a tenant's host: its admin and the APIs."""

from django.urls import include, path
from django.views.generic import RedirectView

from maestro.admin.sites import tenant_site
from maestro.api.permissions import public_route

to_admin = public_route("only redirects to the admin, which asks for a sign-in")(RedirectView)

urlpatterns = [
    path("", include("config.api_urls")),
    path("", include("apps.tenants.access.pages.urls")),
    path("admin/", tenant_site.urls),
    path("", to_admin.as_view(url="/admin/", permanent=False)),
]

handler400 = "maestro.http.pages.bad_request"
handler403 = "maestro.http.pages.permission_denied"
handler404 = "maestro.http.pages.page_not_found"
handler500 = "maestro.http.pages.server_error"
