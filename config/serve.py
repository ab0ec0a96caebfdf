"""The roof: the web server. Loads the application once, then lets granian fork its workers, which share what was loaded.

`python -m config.serve` takes every option of the `granian` command; interface and application are ours, and so are
the defaults below.
"""

import gc
import importlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.db import connections
from django.template.loader import get_template

import config.wsgi  # noqa: F401 loaded here, used by the workers
from maestro import frugal
from maestro.http.heavy import WEB_THREADS, streams

RESPAWN = ("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "20")
# The last resort: a worker that holds so much all the same is replaced by a fresh one. It may first finish what it does.
RECYCLE = ("--workers-max-rss", "220", "--rss-sample-interval", "30", "--rss-samples", "2")
OURS = ("--interface", "wsgi", "--no-ws", *RESPAWN, *RECYCLE)

# Libraries that processes load at their first use; web workers all come to it.
LATE = ("numpy",)
ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = (
    ROOT / "maestro" / "templates",
    *sorted(ROOT.glob("apps/**/templates")),
    Path(admin.__file__).parent / "templates",
)


# Granian has an allocator of its own (jemalloc), through which all bodies and answers go. It would keep for ever, in an arena
# for each of its threads, what its largest minute needed; it reads these words once, when the library is loaded.
ALLOCATOR = ("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0")


def load() -> None:
    """Load what every worker would load for itself, and hold alone, when it is first asked."""
    # Charts are thinned by one thread each; a pool of threads would not live through the fork anyway.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in LATE:
        importlib.import_module(name)
    for folder in TEMPLATES:
        for page in sorted(folder.rglob("*.html")):
            get_template(str(page.relative_to(folder)))


def share() -> None:
    """Make what is loaded fit to be shared: no connection crosses a fork, and no collection touches its pages."""
    frugal.begin()
    connections.close_all()
    gc.collect()
    gc.freeze()
    # Granian takes the default; spawned workers would load everything again.
    multiprocessing.set_start_method("fork")


def threads_of(cli: Any, words: Sequence[str]) -> int:
    """Read how many threads each worker is to have, out of the words of a start or the environment."""
    context = cli.make_context("granian", list(words), auto_envvar_prefix="GRANIAN", resilient_parsing=True)
    return int(context.params["blocking_threads"] or WEB_THREADS)


def main() -> None:
    """Serve until told to stop."""
    load()
    share()
    os.environ.setdefault(*ALLOCATOR)
    os.environ.setdefault("GRANIAN_BLOCKING_THREADS", str(WEB_THREADS))
    granian = importlib.import_module("granian.cli")
    sys.argv[:] = ["granian", *OURS, *sys.argv[1:], "config.wsgi:application"]
    streams.threads = threads_of(granian.cli, sys.argv[1:])
    granian.entrypoint()


if __name__ == "__main__":
    main()
