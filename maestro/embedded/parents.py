"""Floor: the process that started us: has it ended, or been asked to end without telling us?

Read by the installer too, under whatever Python the system has: nothing new in here.
"""

import os
import signal

INTERRUPT_BIT = 1 << (signal.SIGINT - 1)


def is_leaving(parent: int) -> bool:
    """True if our parent died, or is a make that was interrupted.

    An interrupted make waits for its children and does not pass the interrupt on, but it no longer
    handles interrupts itself, which shows. A terminal's Ctrl-C reaches us too; `kill -INT` does not.
    One that was started in the background, as CI may do, ignores interrupts from its start.
    """
    if os.getppid() != parent:
        return True
    try:
        with open(f"/proc/{parent}/status", encoding="utf-8") as stream:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in stream if ":\t" in line)
    except OSError:
        return True
    minded = int(fields["SigCgt"], 16) | int(fields["SigIgn"], 16)
    return fields["Name"] == "make" and not minded & INTERRUPT_BIT
