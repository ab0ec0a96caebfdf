"""The tracking room: moving runs to another experiment, and so perhaps to another project.

A writer holds its run's row and reads the experiment from it. A move takes the row for itself first: it waits for
writers under way, and those that come later read the new experiment. Rows of other rooms that repeat a run's
experiment or project follow by `offer`; artifact addresses stay good, because they are looked up by the run.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.tracking.actions import Act
from apps.tracking.models import Experiment
from apps.tracking.runs.events import note_bulk
from apps.tracking.scoping import experiments_for
from maestro.database.statements import execute
from maestro.errors import Conflict, Forbidden, NotFound
from maestro.principals import Actor

HOMES = "SELECT DISTINCT experiment_id FROM tracking_run WHERE id = ANY(%(runs)s::uuid[])"
HOLD_HOMES = "SELECT id FROM tracking_experiment WHERE id = ANY(%(homes)s::bigint[]) ORDER BY id FOR SHARE"
HOLD_RUNS = """SELECT id, experiment_id, deleted_ms FROM tracking_run WHERE id = ANY(%(runs)s::uuid[])
 ORDER BY id FOR UPDATE"""
MOVE_RUNS = "UPDATE tracking_run SET experiment_id = %(to)s WHERE id = ANY(%(runs)s::uuid[])"
MOVE_LATEST = "UPDATE tracking_latestmetric SET experiment_id = %(to)s WHERE run_id = ANY(%(runs)s::uuid[])"
# A dataset is a row of its experiment: the new one gets its own, and the old one stays for whoever reads it there.
COPY_DATASETS = """INSERT INTO tracking_dataset (experiment_id, name, digest, source_type, source, schema, profile,
  sees_all, sees)
 SELECT DISTINCT %(to)s::bigint, d.name, d.digest, d.source_type, d.source, d.schema, d.profile, d.sees_all, d.sees
 FROM tracking_runinput i JOIN tracking_dataset d ON d.id = i.dataset_id
 WHERE i.run_id = ANY(%(runs)s::uuid[]) AND d.experiment_id <> %(to)s
 ON CONFLICT (experiment_id, name, digest) DO NOTHING"""
MOVE_INPUTS = """UPDATE tracking_runinput i SET dataset_id = n.id FROM tracking_dataset d, tracking_dataset n
 WHERE i.run_id = ANY(%(runs)s::uuid[]) AND d.id = i.dataset_id AND d.experiment_id <> %(to)s
 AND n.experiment_id = %(to)s AND n.name = d.name AND n.digest = d.digest RETURNING d.id"""
DROP_DATASETS = """DELETE FROM tracking_dataset d WHERE d.id = ANY(%(datasets)s::bigint[])
 AND NOT EXISTS (SELECT FROM tracking_runinput i WHERE i.dataset_id = d.id)"""

# A trace goes with the run that it was recorded in; one that was only linked to the run stays where it is.
MOVE_TRACES = """UPDATE tracking_trace SET experiment_id = %(to)s
 WHERE experiment_id = ANY(%(homes)s::bigint[]) AND run_ids && %(names)s::varchar[]
 AND run_ids[1] = ANY(%(names)s::varchar[])"""
TRACES = """SELECT 1 FROM tracking_trace WHERE experiment_id = ANY(%(homes)s::bigint[])
 AND run_ids && %(names)s::varchar[] AND run_ids[1] = ANY(%(names)s::varchar[]) LIMIT 1"""


@dataclass(frozen=True)
class Move:
    """Runs on their way: from which experiments, all of them locked, to which."""

    runs: list[uuid.UUID]
    sources: list[Experiment]
    target: Experiment

    @property
    def from_elsewhere(self) -> list[int]:
        """The experiments whose files are kept in another place than the target's."""
        return [source.pk for source in self.sources if source.location != self.target.location]


Follower = Callable[[Move], None]
FOLLOWERS: list[Follower] = []


def offer(follower: Follower) -> None:
    """Let a room above move its own rows in the same transaction. It may raise Conflict to refuse the move."""
    FOLLOWERS.append(follower)


def move(runs: Sequence[uuid.UUID], target_id: int, by: Actor) -> int:
    """Move runs to an experiment, all or none; returns how many were not there already.

    Raises NotFound, Forbidden without the role in every project touched, Conflict for what is in the trash.
    """
    if by.is_key_of_some:
        raise Forbidden("a key of one project can't move runs", "project_key")
    with transaction.atomic():
        sources, target = hold_homes(runs, target_id, by)
        homes = {source.pk for source in sources}
        leaving: dict[int, list[uuid.UUID]] = defaultdict(list)
        for run_id, home, deleted_ms in execute(HOLD_RUNS, {"runs": sorted(runs)}):
            if deleted_ms is not None:
                raise Conflict(f"the run {run_id.hex} is in the trash; nothing was moved", "run_is_deleted")
            if home not in homes and home != target_id:
                raise Conflict("a run was moved by somebody else just now; nothing was moved", "moved_meanwhile")
            if home != target_id:
                leaving[home].append(run_id)
        moving = [run_id for each in leaving.values() for run_id in each]
        if moving:
            carry(Move(moving, [source for source in sources if source.pk in leaving], target))
            for home, some in leaving.items():
                note(home, target, some, by)
    return len(moving)


def hold_homes(runs: Sequence[uuid.UUID], target_id: int, by: Actor) -> tuple[list[Experiment], Experiment]:
    """Keep the experiments as they are until the move is done, and check that this person may move between them."""
    homes = {row[0] for row in execute(HOMES, {"runs": list(runs)})}
    execute(HOLD_HOMES, {"homes": sorted(homes | {target_id})})
    found = {one.pk: one for one in experiments_for(by.who).filter(pk__in=homes | {target_id})}
    target = found.get(target_id)
    if target is None or homes - set(found):
        raise NotFound(f"there is no experiment {target_id if target is None else min(homes - set(found))}")
    if target.deleted_ms is not None:
        raise Conflict(f"the experiment {target_id} is in the trash; nothing was moved", "experiment_is_deleted")
    by.require("contributor", {one.project_id for one in found.values()})
    return [found[home] for home in sorted(homes - {target_id})], target


def carry(moved: Move) -> None:
    """Write the new experiment wherever a run's experiment is written."""
    params = {"runs": moved.runs, "to": moved.target.pk}
    traces = {"homes": [one.pk for one in moved.sources], "names": [run_id.hex for run_id in moved.runs]}
    if execute(TRACES, traces | {"homes": moved.from_elsewhere}):
        raise files_elsewhere("recorded traces")
    execute(MOVE_TRACES, params | traces)
    execute(MOVE_RUNS, params)
    execute(MOVE_LATEST, params)
    execute(COPY_DATASETS, params)
    left = sorted({row[0] for row in execute(MOVE_INPUTS, params)})
    if left:
        execute(DROP_DATASETS, {"datasets": left})
    for follower in FOLLOWERS:
        follower(moved)


def files_elsewhere(what: str) -> Conflict:
    """Refuse a move after which clients would look for files where they are not."""
    return Conflict(
        f"these runs {what}, whose files lie where their experiment's do, and the other experiment keeps its files"
        " elsewhere; nothing was moved",
        "files_elsewhere",
    )


def note(home: int, target: Experiment, runs: list[uuid.UUID], by: Actor) -> None:
    """Record which runs went from where to where."""
    after = {"experiment": target.pk, "project": str(target.project_id)}
    note_bulk(by, Act.RUN_MOVE, runs, before={"experiment": home}, after=after)
