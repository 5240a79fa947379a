"""How much of the machine other programs had meanwhile: a time taken beside them is worth little. Linux only."""

import os
import resource
import time
from pathlib import Path

STAT = Path("/proc/stat")


def ticks(fields: list[str]) -> float:
    return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")


def of_process(pid: int) -> float:
    """Processor seconds of a process so far."""
    if not STAT.exists():
        return 0.0
    return ticks(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])


def of_children() -> float:
    """Of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def of_machine() -> float | None:
    if not STAT.exists():
        return None
    user, nice, system, _idle, _wait, *interrupts = STAT.read_text().split("\n", 1)[0].split()[1:9]
    return ticks([user, nice, system, *interrupts])


class Others:
    """From its making on."""

    def __init__(self, used: float):
        self.started, self.machine, self.used = time.perf_counter(), of_machine(), used

    def share(self, used: float) -> float | None:
        """The part of all processors that others took, where `used` is what the measured program had so far."""
        if self.machine is None:
            return None
        available = (time.perf_counter() - self.started) * os.cpu_count()
        return round(max(0.0, of_machine() - self.machine - (used - self.used)) / available, 3)
