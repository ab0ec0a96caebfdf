"""However a lack of memory ends a training's process, its supervisor knows it for that; and nothing else for it."""

import sys
from typing import Any

import pytest

from apps.recommendations.work import processes
from tests.patience import ANSWER_SECONDS

BOUND = "import resource; resource.setrlimit(resource.RLIMIT_DATA, ({mb} << 20, {mb} << 20))\n"
# Memory is taken until there is no more, and held long enough to be seen, as a library that crashes at its bound has.
FULL = """
import mmap, os, time
held = []
try:
    while True:
        held.append(mmap.mmap(-1, 4 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
except (OSError, MemoryError):
    time.sleep(0.5)
"""
ENDINGS = {
    "a Python object": BOUND.format(mb=60) + "bytearray(200 << 20)",
    "an array": "import numpy\n" + BOUND.format(mb=60) + "numpy.ones((1 << 14, 1 << 14))",
    "a library that loads": BOUND.format(mb=12) + "import lightgbm",
    "a thread": BOUND.format(mb=60)
    + "import threading; threading.stack_size(200 << 20); threading.Thread(target=print).start()",
    "an exception on the way to another": BOUND.format(mb=60)
    + "try:\n    bytearray(200 << 20)\nfinally:\n    raise ValueError('x' * 2000)",
    "a library that aborts without a word": BOUND.format(mb=100) + FULL + "os.abort()",
    "a library that crashes without a word": BOUND.format(mb=100) + FULL + "os.kill(os.getpid(), 11)",
}
OTHERS = {
    "a fault": (BOUND.format(mb=500) + "raise ValueError('no such column')", "ValueError: no such column"),
    "a crash": (BOUND.format(mb=500) + "import os; os.abort()", "its process was ended by SIGABRT"),
    "a code": ("import sys; sys.exit(7)", "its process ended with code 7"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_lack_of_memory_is_named(ending: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOOK_SECONDS", 0.02)
    ended = processes.run_process([sys.executable, "-c", ENDINGS[ending]], seconds=ANSWER_SECONDS)
    assert ended.code != 0
    assert ended.reason == processes.NO_MEMORY, ended


@pytest.mark.parametrize("ending", OTHERS)
def test_another_end_is_not_taken_for_it(ending: Any) -> None:
    program, reason = OTHERS[ending]
    ended = processes.run_process([sys.executable, "-c", program], seconds=ANSWER_SECONDS)
    assert ended.reason == reason


@pytest.mark.parametrize(
    "words",
    [
        "OpenBLAS error: Memory allocation still failed after 10 retries, giving up.",
        "OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 2: Resource temporarily unavailable",
        "libgomp: Thread creation failed: Resource temporarily unavailable",
        "ImportError: libgomp.so.1: failed to map segment from shared object",
        "[LightGBM] [Fatal] std::bad_alloc",
        "django.db.utils.OperationalError: out of memory",
    ],
)
def test_what_libraries_say_of_memory_is_understood(words: str) -> None:
    assert processes.Ended(1, f"Traceback\n{words}\nSomething else: failed").lacked_memory


def test_another_complaint_at_the_bound_is_a_lack_of_memory_and_below_it_is_not() -> None:
    words = "CommandError: the database does not answer: connection failed: no answer"
    assert processes.Ended(7, words, held=1.04).lacked_memory
    assert not processes.Ended(7, words, held=0.95).lacked_memory
    assert processes.Ended(7, words.replace("no answer", "could not generate nonce")).lacked_memory


def test_a_process_that_takes_too_long_is_ended() -> None:
    ended = processes.run_process([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.5)
    assert "longer than" in ended.reason
