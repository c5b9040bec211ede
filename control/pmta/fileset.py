"""The files that are a PowerMTA server's configuration: one for each concern and tenant, and a
first one that includes them. Pure.

Rule: the first file is the only one that PowerMTA's own configuration has to include; the others
stand beside it, and it names each, in the order in which PowerMTA has to read them.
"""

import hashlib
import re
from typing import NamedTuple

MAIN = "sendgate.conf"
"""The first file's name."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.conf")
"""Names of files: no path, nothing that a shell or PowerMTA reads as something else."""


class FileSet(NamedTuple):
    """One server's files by name, `MAIN` first; as they are written, octet for octet."""

    files: dict[str, str]

    @property
    def digest(self) -> str:
        """Of names and texts, whatever their order: the same files have the same."""
        found = hashlib.sha256()
        for name, text in sorted(self.files.items()):
            for part in (name.encode(), text.encode()):
                found.update(len(part).to_bytes(8, "big") + part)
        return found.hexdigest()

    def whole(self) -> str:
        """One text: the first file with the others where it includes them."""
        lines = []
        for line in self.files[MAIN].splitlines(keepends=True):
            word, _, name = line.strip().partition(" ")
            other = self.files.get(name.rpartition("/")[2]) if word == "include" else None
            lines.append(line if other is None else other)
        return "".join(lines)
