"""The recommendations room: run a training in a process of its own, bounded in memory and time.

LightGBM lives in that process only: a training that runs out of memory, crashes or hangs leaves the worker alive.
The process dies with the worker (PR_SET_PDEATHSIG), so that a killed worker's training is free for another.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from apps.recommendations.models import Asked, Training, WhatIf
from apps.recommendations.work import leases
from apps.tenants.models import Tenant
from maestro.places import one_of

TRAINING_SECONDS = 3_000
QUESTION_SECONDS = 120
# A lack of memory may stand far above the last line: "during handling of the above exception".
LAST_WORDS = 64 * 1024
LOOK_SECONDS = 0.2
NEAR_ITS_BOUND = 0.8
NO_MEMORY = "it needed more memory than a training may have"
# What Python, numpy, OpenBLAS, OpenMP, LightGBM, the loader and libpq say when they get no memory or no thread.
MEMORY_SIGNS = (
    "memoryerror",
    "bad_alloc",
    "unable to allocate",
    "annot allocate memory",
    "memory allocation",
    "failed to map segment",
    "out of memory",
    "not enough memory",
    "can't start new thread",
    "thread creation failed",
    "pthread_create",
    "could not generate nonce",
)
PR_SET_PDEATHSIG = 1
# One thread: sums run in one order, so a training repeats bit for bit, and two trainings share two cores fairly.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and the largest share of its memory bound that it was seen to hold."""

    code: int
    last_words: str
    held: float = 0.0

    @property
    def lacked_memory(self) -> bool:
        """Know a lack of memory by what was said; where a library crashed or spoke of something else, by how much it held.

        At its bound whatever asks next gets nothing, and a library may then blame the network or a password.
        """
        said = self.last_words.lower()
        enough = NEAR_ITS_BOUND if self.code < 0 else 1.0
        return any(sign in said for sign in MEMORY_SIGNS) or (self.code != 0 and self.held >= enough)

    @property
    def reason(self) -> str:
        """Why it ended without a result, in a line."""
        if self.lacked_memory:
            return NO_MEMORY
        if self.code < 0:
            return f"its process was ended by {signal.Signals(-self.code).name}"
        return self.last_words.splitlines()[-1][:500] if self.last_words else f"its process ended with code {self.code}"


def supervise_in_place(tenant: Tenant, training_id: uuid.UUID) -> str:
    """Do the same for a worker, if this machine has a place for one more training. Else "no place".

    The row waits then, and is sent again: short work must find a worker, however many trainings wait.
    """
    with one_of("training", settings.TRAININGS_AT_ONCE, folder=settings.HOME / "places") as has_place:
        return supervise(tenant, training_id) if has_place else "no place"


def supervise(tenant: Tenant, training_id: uuid.UUID, *, megabytes: int | None = None) -> str:
    """Take a training, have a process do it, and see to its end. Returns the training's state, or "taken"."""
    owner = uuid.uuid4().hex
    if leases.take(training_id, owner) is None:
        return "taken"
    bound = megabytes or memory_bound()
    arguments = ["--tenant", tenant.slug, "--training", str(training_id), "--owner", owner, "--memory-mb", str(bound)]
    ended = run_command("run_training", *arguments)
    if ended.code != 0:
        settle(training_id, owner, ended)
    return str(Training.objects.values_list("state", flat=True).get(pk=training_id))


def answer(tenant: Tenant, question_id: uuid.UUID, kind: type[Asked] = WhatIf) -> str:
    """Have a process answer a question. Returns the question's state."""
    rows = kind._default_manager.all()
    waiting = rows.filter(pk=question_id, state=Asked.State.WAITING)
    if not waiting.update(started_at=Now()):
        return "gone"
    arguments = ["--tenant", tenant.slug, "--question", str(question_id), "--memory-mb", str(memory_bound())]
    ended = run_command("answer_question", *arguments, seconds=QUESTION_SECONDS)
    if ended.code != 0:
        waiting.update(state=Asked.State.FAILED, reason=ended.reason, ended_at=Now())
    return str(rows.values_list("state", flat=True).get(pk=question_id))


def foresee(tenant: Tenant) -> int:
    """Have a process forecast projects that are younger than the last training. Returns its exit code."""
    arguments = ["--tenant", tenant.slug, "--memory-mb", str(memory_bound())]
    return run_command("forecast_latecomers", *arguments, seconds=QUESTION_SECONDS).code


def memory_bound() -> int:
    """The memory of one training in megabytes: MAESTRO_TRAINING_MB."""
    return int(settings.TRAINING_MEGABYTES)


def run_command(name: str, *arguments: str, seconds: float = TRAINING_SECONDS) -> Ended:
    """Run one of our own commands and wait."""
    return run_process([sys.executable, str(settings.BASE_DIR / "manage.py"), name, *arguments], seconds=seconds)


def run_process(command: Sequence[str], *, seconds: float) -> Ended:
    """Run a process and wait. Its last words are kept, since they say why."""
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=words)
        try:
            held = watch(process, seconds)
        except subprocess.TimeoutExpired:
            return Ended(1, f"it took longer than {seconds:.0f} s")
        finally:
            # Also when this task is told to stop: nothing may go on without its supervisor.
            if process.poll() is None:
                process.kill()
                process.wait()
        size = words.seek(0, os.SEEK_END)
        words.seek(max(0, size - LAST_WORDS))
        return Ended(process.returncode, words.read().decode(errors="replace").strip(), held)


def watch(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Wait for the end; returns the largest share of its memory bound seen. Raises TimeoutExpired."""
    deadline, held = time.monotonic() + seconds, 0.0
    while True:
        try:
            process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            held = max(held, share_held(process.pid))
            if time.monotonic() > deadline:
                raise
        else:
            return held


def share_held(pid: int) -> float:
    """The share of its bound (RLIMIT_DATA) that a process holds; 0 where it has none or cannot be asked."""
    try:
        bound, _ = resource.prlimit(pid, resource.RLIMIT_DATA)
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except (AttributeError, OSError):
        return 0.0
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("VmData:")), 0)
    return kilobytes * 1024 / bound if bound > 0 else 0.0


def environment() -> Mapping[str, str]:
    """What the process needs to find the same database; as many threads as repeat exactly."""
    return os.environ | settings.CHILD_ENV | ONE_THREAD


def settle(training_id: uuid.UUID, owner: str, ended: Ended) -> None:
    """A process ended without a result: a crash is tried again, up to a bound; what it said is kept."""
    training = Training.objects.get(pk=training_id)
    if ended.lacked_memory:
        leases.fail(training_id, NO_MEMORY, owner=owner)
    elif training.tries >= leases.MOST_TRIES:
        leases.fail(training_id, f"{training.tries} tries failed; the last: {ended.reason}", owner=owner)
    else:
        leases.give_back(training_id, owner)


def bound_process(megabytes: int) -> None:
    """Bound this process's memory, and let it end with its parent. Called first thing in the process.

    RLIMIT_DATA counts what is written to; RLIMIT_AS would count address space that libraries only reserve.
    """
    size = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
