"""An interrupt that reaches make alone still ends what make started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from maestro.embedded.supervisor import PROJECT
from tests.maestro.embedded.programs import wait_for

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
        assert make.wait(10) != 0
    assert mark.read_text() == "left"
