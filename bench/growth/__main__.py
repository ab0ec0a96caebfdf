"""`python -m bench.growth COMMAND`: does a request cost more while the data grows?

  runs      the same scenarios with 10,000, 100,000 and 1,000,000 runs in an experiment
  points    the same with 100,000 points in a series, a hundred and a thousand times as many
  tenants   making 1, 100 and 1,000 tenants, and serving them in turn
  migrate   bringing the fleet to the head: nothing to do, one new column, and a kill half-way
  storage   bytes a point before and after folding

Each needs embedded servers of its own (`MAESTRO_HOME=FOLDER python -m maestro.embedded servers`): it fills them with
gigabytes. Each writes its section of bench/results/growth.md, and what is filled already is not filled again.
"""

import argparse
import importlib
import os
from pathlib import Path

from bench.load import machine

PARTS = ("runs", "points", "tenants", "migrate", "storage")
STEPS = {"runs": "10000,100000,1000000", "points": "100000,10000000,100000000", "tenants": "1,100,1000"}


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    home = os.environ.get("MAESTRO_HOME", "")
    parser.add_argument("--home", type=Path, default=Path(home) if home else None, help="folder of the servers to fill")
    parser.add_argument("--harness", type=Path, help="folder of mlflow_load.py, for runs and points")
    parser.add_argument("--steps", help="sizes, by commas; defaults are those above")
    parser.add_argument("--port", type=int, default=8787)
    return parser.parse_args()


def main() -> None:
    """Run one part."""
    asked = options()
    if asked.home is None:
        raise SystemExit("bench: name the servers to fill with --home, not those of a demo that somebody uses")
    os.environ["MAESTRO_HOME"] = str(asked.home.resolve())
    machine.read_env(asked.home)
    # The part sets Django up, which reads the home above.
    part = importlib.import_module(f"bench.growth.{asked.part}")
    steps = [int(step) for step in (asked.steps or STEPS.get(asked.part, "0")).split(",")]
    loaded = asked.part in ("runs", "points")
    if loaded and asked.harness is None:
        raise SystemExit("bench: name the folder of mlflow_load.py with --harness")
    more = [asked.harness.resolve()] if loaded else []
    part.measure(asked.home.resolve(), asked.port, steps, *more)


if __name__ == "__main__":
    main()
