"""`python -m bench.imports.fill FILE`: 10,000 runs with a million points, into a SQLite file that mlflow made.

The file is `sqlite/mlflow.db` of tests/registry/imports/mlflow-3.17.2.tar.xz. Then
`time manage.py import_mlflow FILE --tenant acme --experiment many`; put an empty folder `mlartifacts` beside the file.
"""

import random
import sqlite3
import sys
from typing import Any

RUNS, METRICS, POINTS, PARAMS = 10_000, 5, 20, 10
START = 1_700_000_000_000
INTO = {
    "experiments": "experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace",
    "runs": "run_uuid, name, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, experiment_id",
    "params": "key, value, run_uuid",
    "tags": "key, value, run_uuid",
    "metrics": "key, value, timestamp, run_uuid, step, is_nan",
}


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Make up the rows of each table."""
    chance = random.Random(1)
    found: dict[str, list[tuple[Any, ...]]] = {table: [] for table in INTO}
    found["experiments"].append((77, "many", "mlflow-artifacts:/77", "active", START, START, "default"))
    for number in range(RUNS):
        run = f"{chance.getrandbits(128):032x}"
        place = f"mlflow-artifacts:/77/{run}/artifacts"
        times = (START + number, START + number + 100_000)
        found["runs"].append((run, f"run {number}", "me", "FINISHED", *times, "active", place, 77))
        found["params"] += [(f"p{key}", str(chance.random()), run) for key in range(PARAMS)]
        found["tags"] += [("mlflow.runName", f"run {number}", run), ("team", f"t{number % 7}", run)]
        for key in range(METRICS):
            found["metrics"] += [(f"m{key}", chance.random(), START + s * 1_000, run, s, 0) for s in range(POINTS)]
    return found


def main() -> None:
    """Fill the file."""
    link = sqlite3.connect(sys.argv[1])
    for setting in ("journal_mode = off", "synchronous = off", "cache_size = -800000"):
        link.execute(f"PRAGMA {setting}")
    for table, some in rows().items():
        marks = ", ".join("?" * len(some[0]))
        link.executemany(f"INSERT INTO {table} ({INTO[table]}) VALUES ({marks})", some)  # noqa: S608
    link.commit()


if __name__ == "__main__":
    main()
