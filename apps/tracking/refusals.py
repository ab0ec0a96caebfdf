"""The tracking room: why a run or an experiment can't be found or written. Each door says it in its own words."""

from collections.abc import Mapping
from uuid import UUID

from maestro.database.statements import execute
from maestro.errors import AlreadyExists, Invalid, MaestroError, NotFound
from maestro.principals import Reach

STATE = """SELECT r.deleted_ms IS NOT NULL, e.project_id FROM tracking_run r
  JOIN tracking_experiment e ON e.id = r.experiment_id WHERE r.id = %s"""
OLD = """SELECT key, value FROM tracking_param WHERE run_id = %s AND key = ANY(%s) ORDER BY key"""


def no_run(run_id: UUID) -> NotFound:
    """Say that a run is not there, or is somebody else's."""
    return NotFound(f"there is no run {run_id.hex}", facts={"run": run_id.hex})


def no_experiment(identity: object) -> NotFound:
    """Say that an experiment is not there, or is somebody else's."""
    shown = str(identity)[:64]
    return NotFound(f"there is no experiment {shown}", facts={"experiment": shown})


def no_experiment_named(name: str) -> NotFound:
    """Say that no experiment has a name, or somebody else's has."""
    return NotFound(f"there is no experiment named {name[:200]!r}", facts={"experiment_name": name[:200]})


def no_tag(key: str, **of: object) -> NotFound:
    """Say that something has no tag of a name."""
    return NotFound(f"there is no tag {key[:250]!r}", facts={"tag": key[:250], **of})


def name_is_taken(name: str, trashed: int | None = None) -> AlreadyExists:
    """Say that an experiment has the name already, and which one, if it lies in the trash."""
    detail, facts = f"there is an experiment named {name[:200]!r} already", {"experiment_name": name[:200]}
    if trashed is None:
        return AlreadyExists(detail, facts=facts)
    more = f", in the trash as experiment {trashed}: restore it, or choose another name"
    return AlreadyExists(detail + more, facts=facts | {"trashed": trashed})


def experiment_is_deleted(identity: int) -> Invalid:
    """Say that an experiment is in the trash."""
    return Invalid(
        f"the experiment {identity} is in the trash", "experiment_is_deleted", facts={"experiment": identity}
    )


def two_names(name: str, tagged: str) -> Invalid:
    """Say that a run was given two names at odds."""
    facts = {"run_name": name[:200], "tag": tagged[:200]}
    return Invalid(f"the run has two names: {name[:200]!r}, and {tagged[:200]!r} as its tag", "two_names", facts=facts)


def not_writable(run_id: UUID, projects: Reach) -> MaestroError:
    """Find out why a statement did not find its run."""
    rows = execute(STATE, [run_id])
    if not rows or (projects is not None and rows[0][1] not in projects):
        return no_run(run_id)
    return Invalid(f"the run {run_id.hex} is in the trash", "run_is_deleted", facts={"run": run_id.hex})


def param_changed(run_id: UUID, given: Mapping[str, str]) -> Invalid:
    """Name the params that were logged before with other values."""
    old = dict(execute(OLD, [run_id, list(given)]))
    changed = [
        {"key": key, "old_value": old[key], "new_value": value}
        for key, value in given.items()
        if key in old and old[key] != value
    ]
    shown = str(changed[:5])[:2000]
    facts = {"params": shown, "run": run_id.hex}
    return Invalid(f"params don't change once they are logged: {shown}", "param_changed", facts=facts)
