"""Routes of this door."""

from django.urls import URLPattern, URLResolver, path

from apps.registry.api import artifacts, files, lineage, usages, versions

VERSION = "artifacts/<str:artifact>/versions/<str:version>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("artifacts/", artifacts.ArtifactList.as_view()),
    path("artifacts/<str:artifact>/", artifacts.ArtifactDetail.as_view()),
    path("artifacts/<str:artifact>/aliases/", artifacts.AliasList.as_view()),
    path("artifacts/<str:artifact>/aliases/<str:alias>/", artifacts.AliasDetail.as_view()),
    path("artifacts/<str:artifact>/lineage/", lineage.ArtifactLineage.as_view()),
    path("runs/<str:run>/lineage/", lineage.RunLineage.as_view()),
    path("artifacts/<str:artifact>/usages/", usages.ArtifactUsages.as_view()),
    path("artifacts/<str:artifact>/versions/", versions.VersionList.as_view()),
    path(VERSION, versions.VersionDetail.as_view()),
    path(f"{VERSION}files/", files.VersionFiles.as_view()),
    path(f"{VERSION}files/<path:path>", files.VersionFileDownload.as_view()),
    path("blobs/<str:sha256>/", files.BlobUpload.as_view()),
    path("projects/<str:project>/usages/", usages.ProjectUsages.as_view()),
]
