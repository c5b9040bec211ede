"""The processes of the stack under test as /proc shows them: CPU time, memory, descriptors.

Rule: processes of one name are summed (PostgreSQL's backends are one line); memory of pages they
share then counts more than once, so PostgreSQL's is an upper bound.
Failure: a process that ends while it is read is left out.
"""

import contextlib
import os
import re
from pathlib import Path

import msgspec

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(msgspec.Struct):
    """What processes of one name use: seconds since their start, octets, open descriptors."""

    cpu: float = 0.0
    rss: int = 0
    peak: int = 0
    descriptors: int = 0


def usage(root: int) -> dict[str, Usage]:
    """By name: the process `root` and all its descendants."""
    found: dict[str, Usage] = {}
    for pid in _tree(root):
        # It may end between two reads, or belong to a user whose files we may not list.
        with contextlib.suppress(OSError):
            one = _one(pid)
            name = name_of(Path(f"/proc/{pid}/cmdline").read_bytes())
            total = found.setdefault(name, Usage())
            total.cpu += one.cpu
            total.rss += one.rss
            total.peak += one.peak
            total.descriptors += one.descriptors
    return found


def forget_peaks(root: int) -> None:
    """Let peak memory count from now (proc(5): 5 written to clear_refs)."""
    for pid in _tree(root):
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def name_of(cmdline: bytes) -> str:
    """What a process of the stack is, by its NUL-separated command line."""
    words = cmdline.decode("utf-8", "replace").rstrip("\0").split("\0")
    program = Path(words[0]).name
    if program.startswith(("postgres", "valkey")):
        return re.split(r"[-:_ ]", program)[0]
    line = " ".join(words)
    if found := re.search(r" --(worker|releaser) (\d+)", line):
        return f"{found[1]} {found[2]}"
    if found := re.search(r" -m (gateway|control)\b", line):
        return "supervisor" if found[1] == "gateway" else "control"
    if found := re.search(r"sendgate(?:\.\w+)? (\w+)", line):
        return {"gateway": "supervisor", "up": "control"}.get(found[1], found[1])
    return program


def _one(pid: int) -> Usage:
    folder = Path(f"/proc/{pid}")
    # The name, in brackets, may hold blanks: fields are counted after it (proc(5), stat).
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = (folder / "status").read_text(encoding="utf-8", errors="replace")
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return Usage(
        cpu=(int(fields[11]) + int(fields[12])) / _TICK,
        rss=int(fields[21]) * _PAGE,
        peak=int(peak[1]) * 1024 if peak else 0,
        descriptors=len(list((folder / "fd").iterdir())),
    )


def _tree(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
                parent = int(text.rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found
