"""What the agent remembers of PowerMTA's configuration: which version runs, and how far an attempt
at another one has come.

Rule: a stage is noted, on the disk, before the first act of it. So whatever ends the agent, the
next start knows what may have happened since, and finishes it or puts the former version back.
It may be lost: then the files that lie there are somebody's, and are left alone, unless they are
the offered ones.
"""

from pathlib import Path
from typing import Literal

import msgspec

from control.agent import disk
from control.agent.applying.version import Written
from control.pmta.offer import Step

_FILE = "configuration.json"
_LARGEST = 64 * 1_048_576

Stage = Literal["", "write", "test", "reload", "back"]
"""`write`: its folder is being written, PowerMTA's first file is the former one. `test`: the first
file is, or is about to be, the new one, and PowerMTA was not told. `reload`: it may have been.
`back`: the former first file is, or is about to be, back. Empty: no attempt."""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """Of one folder."""

    server: str
    folder: str
    running: Written = Written()
    """The version in force: the last that PowerMTA showed."""
    former: list[str] = []
    """Places of those before, the last one first."""
    trying: Written | None = None
    stage: Stage = ""
    told: bool = False
    """PowerMTA may run the version that is put back: it has to load the former one again."""
    tried: int = 0
    """The version tried last."""
    tried_digest: str = ""
    step: Step = ""
    """Where that attempt ended, when it failed."""
    problem: str = ""
    overwrote: str = ""
    """`ETag` of the last offer that was let write over files that were changed by hand: once."""


class JournalFile:
    """In the agent's folder."""

    def __init__(self, state: Path) -> None:
        self._file = state / _FILE

    def read(self, server: str, folder: str) -> Journal | None:
        """What was kept of this folder; None: nothing that can be used."""
        try:
            with self._file.open("rb") as file:
                found = msgspec.json.decode(file.read(_LARGEST), type=Journal)
        except (OSError, msgspec.DecodeError):
            return None
        return found if (found.server, found.folder) == (server, folder) else None

    def write(self, journal: Journal) -> None:
        """Raises OSError; what was kept before is still there then."""
        disk.replace(self._file, msgspec.json.encode(journal))
