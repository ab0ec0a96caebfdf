"""The registry room: a run that downloads a version uses it, if it says so in a header."""

from datetime import datetime
from typing import Final

from apps.registry.models import ArtifactVersion, Usage
from apps.registry.scoping import run_named
from apps.registry.using import Mention, NewUsage, note
from maestro.api.auth import Principal
from maestro.errors import Forbidden

RUN_HEADER: Final = "X-Maestro-Run"


def note_download(principal: Principal, version: ArtifactVersion, run_id: str | None, at: datetime) -> None:
    """Record that the run named in the header uses a version. Raises Invalid for an unknown run, or Forbidden."""
    run = run_named(principal, run_id)
    if run is None:
        return
    if not principal.has_role("contributor", run.experiment.project_id):
        raise Forbidden(f"{RUN_HEADER} records a use, which needs the role contributor")
    note(version, run.experiment.project, NewUsage(Mention(version.artifact.name), run, Usage.Observed.DOWNLOAD), at)
