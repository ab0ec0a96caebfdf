"""An interrupt that reaches make alone still ends what make started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from maestro.embedded.supervisor import PROJECT
from tests.maestro.embedded.programs import wait_for
from tests.patience import ANSWER_SECONDS

CHILD = """
import os, sys, time
from pathlib import Path
from maestro.embedded import parents
parent = os.getppid()
Path(sys.argv[1]).write_text("up")
while not parents.is_leaving(parent):
    time.sleep(0.02)
Path(sys.argv[1]).write_text("left")
"""


def test_a_child_sees_that_its_make_was_interrupted(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "Makefile").write_text(f"all:\n\t@exec {sys.executable} {tmp_path}/child.py {mark}\n")
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(["make", "-f", tmp_path / "Makefile"], env=environment, start_new_session=True) as make:
        assert wait_for(lambda: mark.exists() and mark.read_text() == "up")
        make.send_signal(signal.SIGINT)
        assert make.wait(ANSWER_SECONDS) != 0
    assert mark.read_text() == "left"


def test_a_make_in_the_background_is_not_taken_for_an_interrupted_one(tmp_path: Path) -> None:
    asks = "import os; from maestro.embedded import parents; print(parents.is_leaving(os.getppid()))"
    (tmp_path / "Makefile").write_text(f"all:\n\t@exec {sys.executable} -c '{asks}'\n")
    # A shell starts what it puts in the background with interrupts ignored.
    background = ["sh", "-c", "trap '' INT; exec make -f \"$0\"", str(tmp_path / "Makefile")]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        background, env=environment, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
    )
    assert done.stdout.strip() == "False"
