"""Processes that a server consists of: how much memory they hold, and how they end."""

import os
import signal
import subprocess
from pathlib import Path

STOP_TIMEOUT_S = 60


def descendants(pid: int) -> list[int]:
    """The process and everything below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may itself hold parentheses and spaces.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, to_visit = [], [pid]
    while to_visit:
        found.append(to_visit.pop())
        to_visit.extend(children.get(found[-1], []))
    return found


def resident_mib(pid: int) -> float:
    """Resident sets added up; what two processes share counts twice."""
    pages = 0
    for process in descendants(pid):
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def stop(process: subprocess.Popen) -> None:
    """Asks the server to end and waits until it has. It leads a process group of its own, so
    that whatever it leaves behind ends too."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
