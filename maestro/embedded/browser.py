"""Floor: Chromium for the browser tests: from the system, installed when we may; never downloaded by hand.

Run by the system's Python. Says in one line when browser tests will not run; that is not an error here:
the tests count and name what did not run.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]


def find_chromium() -> "str | None":
    """Return the browser's program, or None."""
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path), None)


def main() -> int:
    """Make sure of a browser, or say why there is none."""
    if find_chromium():
        return 0
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print("maestro: Chromium is missing, so the browser tests will not run: `apt-get install chromium`.")
        return 0
    print("installing Chromium for the browser tests", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], INSTALL):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"maestro: Chromium cannot be installed ({reason}), so the browser tests will not run.")
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
