"""The tracking room's MLflow door: what the server says about itself."""

from typing import Any

from maestro import multipart
from maestro.api.permissions import public_route
from maestro.mlflow.views import MlflowRequest, MlflowView

INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "presigned_upload_run_id_supported": False,
    "presigned_upload_model_id_supported": False,
    "features_enabled": {"gateway": False},
}


@public_route("says which parts of the protocol are offered, the same to everybody")
class ServerInfo(MlflowView):
    """GET server-info"""

    def get(self, request: MlflowRequest) -> dict[str, Any]:
        """Say what is offered."""
        direct = multipart.is_offered()
        return INFO | {"multipart_uploads_enabled": direct, "multipart_downloads_enabled": direct}
