"""Fills the tenant of the memory line: many runs, wide runs, long curves, and large files of every kind that is shown."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass

from tests.web import ROOT

SIZES = ("--runs", "5000", "--keys", "1000", "--curves", "20", "--points", "20000")
MARKDOWN = (
    "# A heading\n\nSome *words* with [links](https://example.com), `code` and\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
)


def notebook() -> bytes:
    """A notebook of many cells, each with much output."""
    cells = [
        {"cell_type": kind, "source": MARKDOWN * 20, "outputs": [{"text": "x" * 20_000}]}
        for kind in ("markdown", "code")
        for _ in range(60)
    ]
    return json.dumps({"cells": cells}).encode()


FILES = {
    "a.md": (MARKDOWN * 2_000).encode,
    "a.json": lambda: json.dumps([{"a": n, "b": [n] * 5} for n in range(12_000)]).encode(),
    "a.ipynb": notebook,
    "a.csv": lambda: b"\n".join(b",".join(b"%d" % (n * k) for k in range(30)) for n in range(20_000)),
    "a.txt": lambda: b"a line of a log, as there are many\n" * 200_000,
}


@dataclass(frozen=True)
class Filled:
    """What a visitor may look at."""

    pages: list[str]
    runs: list[str]
    experiments: list[str]


def python(values: dict[str, str], *words: str) -> str:
    """Run Python in the installation's environment."""
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=os.environ | values, check=True, capture_output=True, text=True
    )
    return done.stdout


def fill(values: dict[str, str], slug: str) -> Filled:
    """Fill the tenant, and list the addresses of its pages."""
    python(values, "-m", "bench.pages.fill", "--tenant", slug, *SIZES)
    found = json.loads(python(values, "-m", "bench.memory.looking", "--tenant", slug).splitlines()[-1])
    runs = found["runs"]
    return Filled(pages_of(found), [*runs["long curves"], *runs["many keys"][:5]], found["experiments"])


def dashed(identity: str) -> str:
    """Write an id as pages do."""
    return re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", identity)


def pages_of(found: dict[str, dict[str, list[str]]]) -> list[str]:
    """The addresses of all kinds of pages, the heavy ones among them."""
    many, wide, long = (found["runs"][name] for name in ("many runs", "many keys", "long curves"))
    curves = "&".join(f"key=page.curve_{n:02}" for n in range(20))
    addresses = ["", "tracking/experiment/", "tracking/project/", "registry/artifact/", "impact/", "impact/trainings/"]
    addresses += [f"tracking/run/{query}" for query in ("", "?sort=-m.page.small_1", "?status=LOST&q=run-9")]
    addresses += [
        f"tracking/run/?experiment={one}{more}" for one in found["experiments"] for more in ("", "&view=charts")
    ]
    addresses += [f"tracking/run/{dashed(one)}/change/" for one in (*many[:5], *wide[:5], *long)]
    addresses += [f"curves/?run={one}&{curves}" for one in long]
    addresses += [f"compare/?{'&'.join(f'run={one}' for one in some)}" for some in (many[:10], wide[:10], wide[10:40])]
    addresses += [f"registry/artifact/{found['artifact']}/change/", f"tracking/project/{found['project']}/"]
    addresses += [f"tracking/run/{dashed(long[0])}/change/?file={name}" for name in FILES]
    addresses += [
        "access/auditevent/",
        "auth/user/",
        "auth/user/add/",
        "runs/trash/",
        "runs/exports/",
        "search/?q=page",
    ]
    return [f"/admin/{one}" for one in addresses]
