"""The roof: a tenant's host: its admin and the APIs."""

from django.urls import include, path
from django.views.generic import RedirectView

from maestro.admin import tenant_site
from maestro.api.auth import public_route

to_admin = public_route("only redirects to the admin, which asks for a sign-in")(RedirectView)

urlpatterns = [
    path("", include("config.api_urls")),
    path("", include("apps.tenants.access.pages.urls")),
    path("admin/", tenant_site.urls),
    path("", to_admin.as_view(url="/admin/", permanent=False)),
]

handler400 = "maestro.api.pages.bad_request"
handler403 = "maestro.api.pages.permission_denied"
handler404 = "maestro.api.pages.page_not_found"
handler500 = "maestro.api.pages.server_error"
