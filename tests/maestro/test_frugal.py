"""Workers give memory back: large blocks at once, and the rest when there is a moment."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from granian import _granian

from config.serve import ALLOCATOR, OURS
from maestro import frugal
from tests.web import ROOT

GROW = """
import sys
from maestro import frugal
if sys.argv[1] == "told":
    frugal.begin()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
before = resident()
# Large blocks that are freed teach the library to keep larger ones in its heap, where small ones pin them.
for size in (1, 2, 4, 8, 16, 24):
    bytearray(size * 2**20)
kept = []
for _ in range(40):
    blocks = [bytearray(2**20) for _ in range(8)]
    kept.append(bytearray(40_000))
    del blocks
holes = [bytearray(3_000) for _ in range(60_000)]
kept.append(holes[::1_000])
del holes
if sys.argv[1] == "told":
    frugal.Tidying().tidy()
print(resident() - before)
"""


def grown(how: str) -> int:
    """How many MB a process holds on to that has freed nearly all that it had."""
    done = subprocess.run([sys.executable, "-c", GROW, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(frugal.libc() is None, reason="another C library")
def test_what_was_freed_is_given_back() -> None:
    assert grown("told") < 25
    assert grown("not told") > 60


class Loop:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.me = self


def test_cycles_go_without_waiting_for_the_collector() -> None:
    gc.disable()
    try:
        gone = weakref.ref(Loop())
        assert gone() is not None
        frugal.Tidying().tidy()
        assert gone() is None
    finally:
        gc.enable()


def test_one_thread_tidies_whoever_is_served() -> None:
    one = frugal.Tidying(seconds=3_600)
    one.served()
    thread = one._thread
    one.served()
    assert thread is one._thread is not None
    assert thread.daemon


def test_a_worker_that_grows_all_the_same_is_replaced() -> None:
    assert OURS[OURS.index("--workers-max-rss") + 1].isdecimal()


def test_granian_is_loaded_only_when_its_allocator_was_told() -> None:
    look = "import sys, config.serve; print([name for name in sys.modules if name.startswith('granian')])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
    assert ALLOCATOR[0].encode() in Path(_granian.__file__).read_bytes()
