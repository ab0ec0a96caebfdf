"""Whether a running Maestro says more to any project than the narrowest honest estimate. Through its API alone.

usage: set -a; . .maestro/demo.env; set +a; python -m bench.learning.narrowest

Every project's advice, and a question for every problem class that names every artifact, are held against the impact of
that class alone, else against that of all classes and the classes in which the artifact was used. A plan of thirty days
must be named as outside of the history. Exit code 1 if anything says too much.
"""

import json
import os
import sys
import time
import urllib.request
from typing import Any

Json = dict[str, Any]
PLAN_DAYS, WAIT_SECONDS = 30, 60
URL, TOKEN = os.environ["MAESTRO_URL"], os.environ["MAESTRO_TOKEN"]


def call(path: str, body: Json | None = None) -> Json:
    """GET, or POST with a body."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:  # nosec B310
        found: Json = json.load(answer)
    return found


def every(path: str) -> list[Json]:
    """All pages of a list."""
    found: list[Json] = []
    where = f"{path}{'&' if '?' in path else '?'}limit=200"
    while where:
        page = call(where)
        found += page["results"]
        where = (page.get("next") or "").removeprefix(URL)
    return found


def scores(problem_class: str) -> dict[str, Json]:
    """Artifact -> its score for one class alone, or for all."""
    rows = every(f"/api/v1/impact/?problem_class={problem_class}" if problem_class else "/api/v1/impact/")
    return {row["artifact"]["name"]: row for row in rows}


def fault(
    name: str, problem_class: str, number: float | None, *, pooled: bool, known: dict[str, dict[str, Json]]
) -> str:
    """Say what is wrong with a number; nothing if it is the narrowest there is, or none."""
    own, whole = known[problem_class].get(name), known[""][name]
    if number is None:
        return ""
    if own is not None:
        return "" if (number, pooled) == (own["effect"], False) else f"{name}: not that of {problem_class} alone"
    if not (whole["used_by_class"] or {}).get(problem_class):
        return f"{name}: never used in {problem_class}"
    return "" if (number, pooled) == (whole["effect"], True) else f"{name}: not called pooled"


def ask(problem_class: str, artifacts: list[str]) -> Json:
    """Ask what a project may expect, and wait for the answer."""
    facts = {"problem_class": problem_class, "artifacts": artifacts[:50], "planned_duration_days": PLAN_DAYS}
    asked = call("/api/v1/forecasts/", facts)
    began = time.monotonic()
    while asked["state"] == "waiting" and time.monotonic() - began < WAIT_SECONDS:
        time.sleep(0.5)
        asked = call(f"/api/v1/forecasts/{asked['id']}/")
    return dict(asked["answer"])


def main() -> int:
    """Look at everything; print what was looked at and what says too much."""
    projects, faults, looked = every("/api/v1/projects/"), [], 0
    classes = sorted({one["problem_class"] for one in projects})
    known = {name: scores(name) for name in ["", *classes]}
    for project in projects:
        for item in call(f"/api/v1/projects/{project['id']}/advice/")["items"]:
            looked += 1
            wrong = fault(
                item["artifact"]["name"], project["problem_class"], item["gain"], pooled=item["pooled"], known=known
            )
            faults += [f"advice to {project['slug']}: {wrong}"] if wrong else []
    for name in classes:
        answer = ask(name, list(known[""]))
        for said in answer["artifacts"]:
            looked += 1
            wrong = fault(said["artifact"], name, said["effect"], pooled=said["pooled"], known=known)
            faults += [f"what if, {name}: {wrong}"] if wrong else []
        duration = next(one for one in answer["results"] if one["target"] == "duration")
        named = [one["fact"] for one in duration["outside"]]
        faults += (
            []
            if duration["value"] is None or "planned_duration_days" in named
            else [f"what if, {name}: plan not named"]
        )
    print(f"{len(projects)} projects of {len(classes)} classes, {looked} claims: {len(faults)} say too much")
    print("\n".join(faults[:50]), end="")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
