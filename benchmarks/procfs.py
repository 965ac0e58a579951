"""What the kernel says about a process and its descendants (proc(5)). Elsewhere than on Linux: None.

Descendants count, because a command may be a launcher of the real server.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def memory(pid: int) -> dict[str, int] | None:
    """Bytes resident: ``rss``, and ``pss``, where a page that n processes map counts 1/n, if the kernel tells."""
    if not _is_here():
        return None
    total: dict[str, int] = {}
    for process in _tree(pid):
        rollup = _fields(_PROC / str(process) / "smaps_rollup")
        if "Rss" in rollup:
            values = {"rss": rollup["Rss"], "pss": rollup["Pss"]}
        else:
            values = {"rss": _fields(_PROC / str(process) / "status").get("VmRSS", 0)}
        for name, kibibytes in values.items():
            total[name] = total.get(name, 0) + kibibytes * 1024
    return total


def cpu_seconds(pid: int) -> float | None:
    """User and system time so far, of threads that have ended too."""
    if not _is_here():
        return None
    ticks = 0
    for process in _tree(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a descendant may have ended
            ticks += sum(int(field) for field in _stat(process)[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def context_switches(pid: int) -> int | None:
    """How often any thread was switched away from, willingly or not: an idle one that wakes up adds one or more."""
    if not _is_here():
        return None
    total = 0
    for process in _tree(pid):
        for thread in (_PROC / str(process) / "task").iterdir():
            fields = _fields(thread / "status")
            total += fields["voluntary_ctxt_switches"] + fields["nonvoluntary_ctxt_switches"]
    return total


def _is_here() -> bool:
    return (_PROC / "self" / "stat").exists()


def _tree(root: int) -> list[int]:
    parents = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything: state, parent, …"""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _fields(path: Path) -> dict[str, int]:
    """The numeric fields of a file of ``Name:  number [kB]`` lines; none if it cannot be read."""
    fields = {}
    try:
        text = path.read_text()
    except OSError:
        return {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            fields[name] = int(words[0])
    return fields
