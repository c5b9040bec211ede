"""What another process has cost."""

from pathlib import Path


def cpu_of(process: int) -> float:
    """CPU seconds of a process, by the scheduler's own count (Linux)."""
    path = Path(f"/proc/{process}/schedstat")
    return int(path.read_text(encoding="ascii").split()[0]) / 1e9 if path.exists() else 0.0
