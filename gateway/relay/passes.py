"""When a message last passed on each path, a path being a server and a VirtualMTA.

Owns: what this process has seen. Others are told through the ledger (`ledger.bulletin`), for a
failure counts against a message only where another one passed since the failure before it.
"""

from collections.abc import Callable


class Passes:
    """One process's. Paths are of the generation, so their number is bounded."""

    def __init__(self, now: Callable[[], int]) -> None:
        """`now` in ledger milliseconds."""
        self._now = now
        self._last: dict[tuple[str, str], int] = {}
        self._told: dict[tuple[str, str], int] = {}

    def passed(self, server: str, vmta: str) -> None:
        """PowerMTA took a message."""
        self._last[server, vmta] = self._now()

    def last(self, server: str, vmta: str) -> int:
        """When, in ledger milliseconds; 0: not seen here."""
        return self._last.get((server, vmta), 0)

    def news(self) -> dict[tuple[str, str], int]:
        """What the others do not know yet."""
        told = self._told
        return {path: at for path, at in self._last.items() if told.get(path) != at}

    def told(self, news: dict[tuple[str, str], int]) -> None:
        """They know it now."""
        self._told.update(news)

    def keep_only(self, vmtas: set[str]) -> None:
        """Forget paths that left the generation."""
        for known in (self._last, self._told):
            for path in [path for path in known if path[1] not in vmtas]:
                del known[path]
