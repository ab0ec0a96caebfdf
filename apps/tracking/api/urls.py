"""Routes of this door."""

from django.urls import URLPattern, URLResolver, path

from apps.tracking.api import (
    connections,
    exports,
    hooks,
    incidents,
    projects,
    quotas,
    retention,
    run_bulk,
    runs,
    saved_views,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("projects/", projects.ProjectList.as_view()),
    path("projects/<str:project>/", projects.ProjectDetail.as_view()),
    path("projects/<str:project>/outcome/", projects.ProjectOutcome.as_view()),
    path("projects/<str:project>/members/", projects.MemberList.as_view()),
    path("projects/<str:project>/members/<str:username>/", projects.MemberDetail.as_view()),
    path("projects/<str:project>/retention/", retention.ProjectRetention.as_view()),
    path("projects/<str:project>/quota/", quotas.ProjectQuota.as_view()),
    path("projects/<str:project>/delivery/", incidents.ProjectDelivery.as_view()),
    path("incidents/", incidents.IncidentList.as_view()),
    path("incidents/<uuid:incident>/", incidents.IncidentDetail.as_view()),
    path("retention/", retention.TenantRetention.as_view()),
    path("experiments/", runs.ExperimentList.as_view()),
    path("experiments/<str:experiment>/", runs.ExperimentDetail.as_view()),
    path("runs/", runs.RunList.as_view()),
    path("runs/exports/", exports.ExportList.as_view()),
    path("runs/exports/<uuid:export>/", exports.ExportDetail.as_view()),
    path("runs/exports/<uuid:export>/file/", exports.ExportFile.as_view()),
    path("runs/export/", exports.RunExport.as_view()),
    path("runs/bulk/", run_bulk.RunBulk.as_view()),
    path("runs/move/", run_bulk.RunMove.as_view()),
    path("runs/<str:run>/", runs.RunDetail.as_view()),
    path("runs/<str:run>/files/", runs.RunFiles.as_view()),
    path("runs/<str:run>/archive.<str:kind>", runs.RunArchive.as_view()),
    path("runs/<str:run>/files/<path:path>", runs.RunFileDownload.as_view()),
    path("connections/", connections.ConnectionList.as_view()),
    path("connections/<uuid:connection>/", connections.ConnectionDetail.as_view()),
    path("connections/<uuid:connection>/rotate/", connections.ConnectionRotation.as_view()),
    path("connections/<uuid:connection>/deliveries/", connections.DeliveryList.as_view()),
    path("connections/<uuid:connection>/deliveries/<uuid:delivery>/replay/", connections.DeliveryReplay.as_view()),
    path("views/", saved_views.ViewList.as_view()),
    path("views/<str:view>/", saved_views.ViewDetail.as_view()),
]
hook_urlpatterns: list[URLPattern | URLResolver] = [path("<str:hook>/", hooks.Hook.as_view())]
