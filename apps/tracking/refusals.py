"""The tracking room: why a run or an experiment can't be written, in MLflow's words."""

from uuid import UUID

from maestro.database.statements import execute
from maestro.errors import Invalid, MaestroError, NotFound
from maestro.principals import Reach

STATE = """SELECT r.deleted_ms IS NOT NULL, e.project_id FROM tracking_run r
  JOIN tracking_experiment e ON e.id = r.experiment_id WHERE r.id = %s"""
OLD = """SELECT key, value FROM tracking_param WHERE run_id = %s AND key = ANY(%s) ORDER BY key"""


def no_run(run_id: UUID) -> NotFound:
    """Say that a run is not there, or is somebody else's."""
    return NotFound(f"Run with id={run_id.hex} not found")


def no_experiment(identity: object) -> NotFound:
    """Say that an experiment is not there, or is somebody else's."""
    return NotFound(f"No Experiment with id={str(identity)[:64]} exists")


def experiment_deleted(identity: object) -> Invalid:
    """Say that an experiment is in the trash, where nothing begins and nothing comes back to."""
    return Invalid(
        f"The experiment {identity} must be in the 'active' state. Current state is deleted.", "experiment_is_deleted"
    )


def not_writable(run_id: UUID, projects: Reach) -> MaestroError:
    """Find out why a statement did not find its run."""
    rows = execute(STATE, [run_id])
    if not rows or (projects is not None and rows[0][1] not in projects):
        return no_run(run_id)
    return Invalid(
        f"The run {run_id.hex} must be in the 'active' state. Current state is deleted.",
        "run_is_deleted",
    )


def param_changed(run_id: UUID, given: dict[str, str]) -> Invalid:
    """Name the params that were logged before with other values."""
    old = dict(execute(OLD, [run_id, list(given)]))
    changed = [
        {"key": key, "old_value": old[key], "new_value": value}
        for key, value in given.items()
        if key in old and old[key] != value
    ]
    shown = str(changed[:5])[:2000]
    return Invalid(
        f"Changing param values is not allowed. Params were already logged='{shown}' for run ID='{run_id.hex}'.",
        "param_changed",
    )
