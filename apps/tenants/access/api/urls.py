"""Routes of this door."""

from django.urls import path

from apps.tenants.access.api import audit, keys, people, publishers, roles, tokens

urlpatterns = [
    path("auth/token/", tokens.Token.as_view()),
    path("auth/token/refresh/", tokens.TokenRefresh.as_view()),
    path("auth/token/revoke/", tokens.TokenRevoke.as_view()),
    path("auth/whoami/", tokens.WhoamiView.as_view()),
    path("auth/exchange/", publishers.Exchange.as_view()),
    path("publishers/", publishers.PublisherList.as_view()),
    path("publishers/<uuid:publisher>/", publishers.PublisherDetail.as_view()),
    path("keys/", keys.KeyList.as_view()),
    path("keys/self/", keys.OwnKey.as_view()),
    path("keys/self/rotate/", keys.OwnKeyRotation.as_view()),
    path("keys/<str:key>/", keys.KeyDetail.as_view()),
    path("keys/<str:key>/rotate/", keys.KeyRotation.as_view()),
    path("projects/<str:project>/roles/", roles.ProjectRoles.as_view()),
    path("projects/<str:project>/roles/<str:username>/", roles.ProjectRoleOf.as_view()),
    path("people/<str:username>/close/", people.PersonClosing.as_view()),
    path("audit/", audit.AuditList.as_view()),
    path("audit/export/", audit.AuditExport.as_view()),
]
