"""The bench's own: what processes hold and spend, read from /proc (Linux only, and as root for other users' memory)."""

import os
from collections.abc import Iterator
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def stat(pid: int) -> tuple[int, float]:
    """Read a process's parent and the CPU seconds of it and of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / TICK


def tree(root: int) -> Iterator[int]:
    """List a process and all that descends from it."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(stat(int(name))[0], []).append(int(name))
            except OSError:
                continue
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def cpu_seconds(root: int) -> float:
    """Sum up the CPU of a process tree."""
    total = 0.0
    for pid in tree(root):
        try:
            total += stat(pid)[1]
        except OSError:
            continue
    return total


def title(pid: int) -> str:
    """Read a process's title, as `postgres: maestro_app maestro …`."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def memory_mb(pid: int) -> dict[str, float]:
    """Read a process's memory: all shared out by users (pss), and what is its own alone (private)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {"pss": 0.0, "private": 0.0}
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    private = kib.get("Private_Clean", 0) + kib.get("Private_Dirty", 0)
    return {"pss": kib.get("Pss", 0) / 1024, "private": private / 1024}
