"""Routes of this door."""

from django.urls import URLPattern, URLResolver, path

from apps.registry.api import (
    aliases,
    artifacts,
    files,
    finding,
    gates,
    lineage,
    promotions,
    searches,
    signatures,
    storage,
    uploads,
    usages,
    versions,
)

ALIAS = "artifacts/<str:artifact>/aliases/<str:alias>/"
PROMOTION = "artifacts/<str:artifact>/promotions/<uuid:promotion>/"
VERSION = "artifacts/<str:artifact>/versions/<str:version>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("artifacts/", artifacts.ArtifactList.as_view()),
    path("artifacts/<str:artifact>/", artifacts.ArtifactDetail.as_view()),
    path("artifacts/<str:artifact>/aliases/", artifacts.AliasList.as_view()),
    path(ALIAS, artifacts.AliasDetail.as_view()),
    path(f"{ALIAS}history/", aliases.AliasHistory.as_view()),
    path(f"{ALIAS}rollback/", aliases.AliasRollback.as_view()),
    path("artifacts/<str:artifact>/evidence/", promotions.EvidenceList.as_view()),
    path("artifacts/<str:artifact>/lineage/", lineage.ArtifactLineage.as_view()),
    path("runs/<str:run>/lineage/", lineage.RunLineage.as_view()),
    path("artifacts/<str:artifact>/promotions/", promotions.PromotionList.as_view()),
    path(PROMOTION, promotions.PromotionDetail.as_view()),
    path(f"{PROMOTION}approvals/", promotions.PromotionWords.as_view()),
    path("artifacts/<str:artifact>/usages/", usages.ArtifactUsages.as_view()),
    path("artifacts/<str:artifact>/versions/", versions.VersionList.as_view()),
    path(VERSION, versions.VersionDetail.as_view()),
    path(f"{VERSION}built-on/", lineage.VersionBuiltOn.as_view()),
    path(f"{VERSION}files/", files.VersionFiles.as_view()),
    path(f"{VERSION}archive.<str:kind>", files.VersionArchive.as_view()),
    path(f"{VERSION}files/<path:path>", files.VersionFileDownload.as_view()),
    path(f"{VERSION}signatures/", signatures.VersionSignatures.as_view()),
    path(f"{VERSION}signatures/<uuid:signature>/", signatures.VersionSignature.as_view()),
    path("search/", finding.Search.as_view()),
    path("searches/", searches.SearchList.as_view()),
    path("searches/<uuid:search>/", searches.SearchDetail.as_view()),
    path("signing-keys/", signatures.SigningKeyList.as_view()),
    path("signing-keys/<uuid:signing_key>/", signatures.SigningKeyDetail.as_view()),
    path("blobs/missing/", uploads.MissingBlobs.as_view()),
    path("gates/", gates.GateList.as_view()),
    path("gates/<uuid:gate>/", gates.GateDetail.as_view()),
    path("blobs/<str:sha256>/", files.BlobUpload.as_view()),
    path("uploads/", uploads.UploadList.as_view()),
    path("uploads/parts/<str:word>/", uploads.PartUpload.as_view(), name="upload-part"),
    path("uploads/<uuid:upload>/", uploads.UploadDetail.as_view()),
    path("uploads/<uuid:upload>/parts/", uploads.UploadParts.as_view()),
    path("uploads/<uuid:upload>/commit/", uploads.UploadCommit.as_view()),
    path("reuse/", usages.Reuse.as_view()),
    path("projects/<str:project>/reuse/", usages.ProjectReuse.as_view()),
    path("storage/", storage.Storage.as_view()),
    path("projects/<str:project>/usages/", usages.ProjectUsages.as_view()),
]
