"""Where figures were measured: without it they mean nothing."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

# What the kernels of one subject or another ask the processor for.
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "i8mm", "bf16")


def describe(root: Path) -> dict:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    flags = set((_field(cpuinfo, "flags") or _field(cpuinfo, "Features") or "").split())
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": _git(root, "rev-parse", "HEAD"),
        "changed_files": len(_git(root, "status", "--porcelain", "--untracked-files=no").splitlines()),
        "cpu": cpu(cpuinfo),
        "cores": os.cpu_count(),
        "features": [feature for feature in FEATURES if feature in flags],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }


def disturbance() -> dict:
    """What else the machine may be doing: the load, and the CPU seconds that its host has
    withheld so far. Recorded beside each figure."""
    ticks = Path("/proc/stat").read_text().splitlines()[0].split()
    return {"load": round(os.getloadavg()[0], 2), "stolen_s": int(ticks[8]) / os.sysconf("SC_CLK_TCK")}


def cpu(cpuinfo: str) -> str:
    """The model's name, and its numbers where a hypervisor hides which one it is."""
    name = _field(cpuinfo, "model name") or platform.machine()
    family, model = _field(cpuinfo, "cpu family"), _field(cpuinfo, "model")
    return f"{name} (family {family}, model {model})" if family and model else name


def _field(cpuinfo: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else None


def _git(root: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True)
    return run.stdout.strip()
