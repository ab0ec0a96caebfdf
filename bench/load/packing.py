"""`python -m bench.load.packing --dsn DSN`: the same batches of 1,000 points stored as rows and as arrays, and read back.

Postgres alone, without the product: rows by binary COPY into a table with one index, arrays as the product stores
them. CPU is this process's and its backend's, from /proc, so Postgres has to run on this machine. It makes a schema
of its own, and drops it.
"""

import argparse
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import psycopg

from maestro.database.arrays import Float8Array, Int8Array, teach

SCHEMA = "bench_packing"
KEYS, STEPS, BATCHES = 10, 100, 300
TABLES = f"""DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA};
CREATE TABLE points (run uuid, key int, step bigint, ts bigint, value float8);
CREATE INDEX ON points (run, key, step, ts);
CREATE TABLE chunks (run uuid, key int, count int, first_ms bigint, last_ms bigint, steps bigint[], times bigint[],
 "values" float8[]);
ALTER TABLE chunks SET (toast_tuple_target = 8160);
ALTER TABLE chunks ALTER "values" SET STORAGE EXTERNAL;
CREATE INDEX ON chunks (run, key, first_ms);"""
INSERT = """INSERT INTO chunks SELECT %(run)s, g.key, %(count)s, s[1], s[%(count)s], s, t, v
 FROM unnest(%(keys)s) WITH ORDINALITY AS g (key, place) CROSS JOIN LATERAL (SELECT
  (%(steps)s)[(place - 1) * %(count)s + 1:place * %(count)s] AS s,
  (%(times)s)[(place - 1) * %(count)s + 1:place * %(count)s] AS t,
  (%(values)s)[(place - 1) * %(count)s + 1:place * %(count)s] AS v) a"""
ROWS = "SELECT step, ts, value FROM points WHERE run = %s AND key = %s ORDER BY step, ts"
ARRAYS = 'SELECT steps, times, "values" FROM chunks WHERE run = %s AND key = %s ORDER BY first_ms'


def cpu_ms(backend: int) -> float:
    """Read what this process and its backend have used."""
    with open(f"/proc/{backend}/stat") as stat:
        ticks = stat.read().rpartition(")")[2].split()[11:13]
    return time.process_time() * 1000 + sum(map(int, ticks)) * 1000 / os.sysconf("SC_CLK_TCK")


def batch(number: int) -> tuple[list[int], list[int], list[float]]:
    """Make 1,000 points, metric by metric."""
    steps = [number * STEPS + step for _ in range(KEYS) for step in range(STEPS)]
    values = np.random.default_rng(number).random(KEYS * STEPS).tolist()
    return steps, [1_750_000_000_000 + 1000 * step for step in steps], values


def write_rows(db: psycopg.Connection, run: uuid.UUID, points: tuple[list[int], list[int], list[float]]) -> None:
    """Store a batch as rows."""
    with db.cursor().copy("COPY points FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["uuid", "int4", "int8", "int8", "float8"])
        for place, (step, at, value) in enumerate(zip(*points, strict=True)):
            copy.write_row((run, place // STEPS, step, at, value))


def write_arrays(db: psycopg.Connection, run: uuid.UUID, points: tuple[list[int], list[int], list[float]]) -> None:
    """Store a batch as arrays, one row a metric."""
    steps, times, values = points
    packed = {"steps": Int8Array(steps), "times": Int8Array(times), "values": Float8Array(values)}
    db.execute(INSERT, packed | {"run": run, "keys": list(range(KEYS)), "count": STEPS}, prepare=True)


def read(db: psycopg.Connection, sql: str, run: uuid.UUID) -> int:
    """Read every metric back; returns how many points there were."""
    count = 0
    for key in range(KEYS):
        rows = db.cursor(binary=True).execute(sql, [run, key], prepare=True).fetchall()
        count += sum(len(row[0]) for row in rows) if sql is ARRAYS else len(rows)
    return count


def store_next(write: Callable[..., None], db: psycopg.Connection, run: uuid.UUID, waiting: Iterator[Any]) -> None:
    """Store the next batch."""
    write(db, run, next(waiting))


def measured(work: Callable[[], Any], backend: int, times: int) -> dict[str, float]:
    """Do something so often; returns milliseconds each, of CPU and by the clock."""
    cpu, clock = cpu_ms(backend), time.perf_counter()
    for _ in range(times):
        work()
    wall = (time.perf_counter() - clock) * 1000
    return {"cpu_ms": round((cpu_ms(backend) - cpu) / times, 2), "wall_ms": round(wall / times, 2)}


def compare(dsn: str) -> dict[str, dict[str, float]]:
    """Write and read both ways, in turn."""
    found: dict[str, dict[str, float]] = {}
    with psycopg.connect(dsn, autocommit=True) as db:
        teach(db.adapters)
        db.execute(TABLES)
        run, backend = uuid.uuid4(), db.info.backend_pid
        batches = [batch(number) for number in range(BATCHES)]
        for name, write in (("rows", write_rows), ("arrays", write_arrays)):
            waiting = iter(batches)
            store = partial(store_next, write, db, run, waiting)
            found[f"{name}: store 1,000 points"] = measured(store, backend, BATCHES)
        for name, table, sql in (("rows", "points", ROWS), ("arrays", "chunks", ARRAYS)):
            db.execute(f"VACUUM ANALYZE {table}")  # type: ignore[arg-type]
            total = read(db, sql, run)
            assert total == BATCHES * KEYS * STEPS
            found[f"{name}: read {total:,} points"] = measured(partial(read, db, sql, run), backend, 5)
            size = db.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchone()
            found[f"{name}: on disk"] = {"bytes_a_point": round((size or (0,))[0] / total, 1)}
        db.execute(f"DROP SCHEMA {SCHEMA} CASCADE")  # type: ignore[arg-type]
    return found


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", required=True, help="a database where the login may make a schema")
    print(json.dumps(compare(parser.parse_args().dsn), indent=1))


if __name__ == "__main__":
    main()
