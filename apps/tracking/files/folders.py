"""The tracking room: folders of files as MLflow clients address them, and what is in them.

`<experiment>/<run>/artifacts/…` is a run's folder. Other kinds, `<experiment>/<kind>/<id>/artifacts/…`, are
offered by whoever owns them, by `offer` at start-up: the registry's logged models, for one.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, Case, CharField, F, Func, Max, Q, Value, When
from django.db.models.functions import StrIndex, Substr

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.files.paths import clean_artifact_path, clean_directory
from apps.tracking.files.quotas import Share, share_of
from apps.tracking.models import Blob, Run
from maestro.errors import Conflict, Invalid, NotFound
from maestro.principals import Actor, Reach

ARTIFACTS = "artifacts"
SCHEME = "mlflow-artifacts:/"
HEARTBEAT_MS = 10_000


@dataclass(frozen=True)
class Root:
    """A folder of files and what it belongs to. `files` manages rows with `path` and `blob`."""

    uri: str
    files: Any
    project_id: uuid.UUID | None
    refusal: str = ""
    run: Run | None = None
    share: Share | None = None


@dataclass(frozen=True)
class Entry:
    """What a folder shows of one name in it."""

    name: str
    is_dir: bool
    size_bytes: int


Finder = Callable[[str], Root | None]
KINDS: dict[str, Finder] = {}


def offer(kind: str, finder: Finder) -> None:
    """Offer the folders `<experiment>/<kind>/<id>/artifacts`."""
    KINDS[kind] = finder


def run_root(identity: str) -> Root | None:
    """Find a run's folder by 32 hex digits."""
    try:
        run = Run.objects.select_related("experiment__project").filter(pk=uuid.UUID(identity)).first()
    except ValueError:
        return None
    if run is None:
        return None
    refusal = "" if run.deleted_ms is None else f"the run {run.pk.hex} is deleted; it takes no files"
    home = run.experiment
    return Root(run.artifact_uri, run.files, home.project_id, refusal, run, share_of(home.project))


def locate(path: str, projects: Reach) -> tuple[Root, str]:
    """Split a proxied path into its folder and the rest. Raises Invalid for a bad path, NotFound for no folder."""
    parts = clean_artifact_path(path).split("/")
    root, used = None, 0
    if parts[0].isascii() and parts[0].isdecimal():
        if len(parts) > 2 and parts[2] == ARTIFACTS:
            root, used = run_root(parts[1]), 3
        elif len(parts) > 3 and parts[3] == ARTIFACTS and parts[1] in KINDS:
            root, used = KINDS[parts[1]](parts[2]), 4
    if root is None or (projects is not None and root.project_id not in projects):
        raise NotFound("there is no such folder of files")
    return root, clean_directory("/".join(parts[used:]))


def put(root: Root, path: str, blob: Blob, *, by: Actor, now: int) -> None:
    """Name bytes in a folder; a name that is taken gets the new bytes, which is an event. A run is alive by it.

    Raises Invalid where nothing may be written, Conflict for a file that would be a folder as well.
    """
    require_writable(root)
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(1, len(parts))]
    if root.files.filter(Q(path__in=above) | Q(path__startswith=f"{path}/")).exists():
        raise Conflict("the path would be a file and a folder at once", "file_or_folder")
    with transaction.atomic():
        before = digest_at(root, path)
        root.files.update_or_create(path=path, defaults={"blob": blob})
        touch(root, now)
        if before not in (None, blob.sha256):
            was = {"path": path, "sha256": before}
            record(
                by,
                Act.FILES_REPLACE,
                object_type="Files",
                object_id=root.uri,
                before=was,
                after={"sha256": blob.sha256},
            )


def digest_at(root: Root, path: str) -> str | None:
    """Read the digest of the bytes that a name stands for now, and hold the row; None for a free name."""
    row = root.files.select_for_update(of=("self",)).select_related("blob").filter(path=path).first()
    return None if row is None else str(row.blob.sha256)


def require_writable(root: Root) -> None:
    """Raise Invalid, in the folder's own words, where nothing may be written."""
    if root.refusal:
        raise Invalid(root.refusal, "read_only")


def fetch(root: Root, path: str) -> Blob:
    """Find a file's bytes. Raises NotFound."""
    row = root.files.select_related("blob").filter(path=path).first()
    if row is None:
        raise NotFound(f"there is no file {path[:200]!r}")
    blob: Blob = row.blob
    return blob


def entries(root: Root, folder: str) -> list[Entry]:
    """List a folder, one level deep, by name. A missing folder, and a file, is empty."""
    inside = f"{folder}/" if folder else ""
    below = Substr("path", len(inside) + 1)
    names = Func(below, Value("/"), Value(1), function="split_part", output_field=CharField())
    is_dir = Case(When(slash__gt=0, then=True), default=False, output_field=BooleanField())
    found = root.files.filter(path__startswith=inside) if inside else root.files.all()
    rows = (
        found.order_by()
        .annotate(name=names, slash=StrIndex(below, Value("/")))
        .annotate(is_dir=is_dir)
        .values("name", "is_dir")
        .annotate(size=Max("blob__size_bytes"))
        .order_by("name")
    )
    return [Entry(row["name"], row["is_dir"], row["size"]) for row in rows]


def file_infos(entries: list[Entry], prefix: str = "") -> list[dict[str, Any]]:
    """Write a folder's entries as MLflow's FileInfo."""
    before = f"{prefix}/" if prefix else ""
    return [
        {"path": before + entry.name, "is_dir": True}
        if entry.is_dir
        else {"path": before + entry.name, "is_dir": False, "file_size": entry.size_bytes}
        for entry in entries
    ]


def remove(root: Root, path: str, *, by: Actor) -> int:
    """Delete a file, or a folder with everything in it; nothing there is no error. Returns how many files went."""
    require_writable(root)
    gone = root.files.filter(Q(path=path) | Q(path__startswith=f"{path}/")) if path else root.files.all()
    with transaction.atomic():
        count = int(gone.delete()[0])
        if count:
            was = {"path": path, "files": count}
            record(by, Act.FILES_DELETE, object_type="Files", object_id=root.uri, before=was)
    return count


def touch(root: Root, now_ms: int) -> None:
    """Note that a run wrote something, at most every few seconds. A lost one has come back."""
    if root.run is None or root.run.last_write_ms >= now_ms - HEARTBEAT_MS:
        return
    alive = Case(When(status=Run.Status.LOST, then=Value(Run.Status.RUNNING.value)), default=F("status"))
    Run.objects.filter(pk=root.run.pk, last_write_ms__lt=now_ms).update(last_write_ms=now_ms, status=alive)
