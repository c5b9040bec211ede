"""A configuration that only adds to the one before: the new one, with what the one before has more.
Pure.

Rule: while gateways still go by an earlier plan, PowerMTA knows what that names and signs as that
needs. A VirtualMTA, a pool or a key that goes stays beside what is new, until no gateway names it.
Of a name that is in both the new block holds; a domain that a VirtualMTA goes on to sign is signed
with the new key alone, for PowerMTA takes the first that matches.
"""

from collections.abc import Iterator

import msgspec

from control.pmta.fileset import MAIN, FileSet
from control.pmta.known import CLOSE, KEY, OPEN, VIRTUAL_MTA

FORMER = "former.conf"
"""The file of VirtualMTAs and pools that go."""

_HEADER = "# Gone from the plan; here until no gateway names it.\n\n"
_FOLDER = "{folder}"
_SIGNING = ("    <domain *>\n", "        dkim-sign yes\n", "    </domain>\n")


class _Block(msgspec.Struct):
    """A VirtualMTA's or a pool's, as it is written."""

    kind: str
    name: str
    lines: list[str]

    @property
    def signs(self) -> bool:
        """Whether it signs anything."""
        return any(line.strip().startswith("dkim-sign ") for line in self.lines)

    @property
    def keys(self) -> dict[str, list[str]]:
        """Domain to the lines that say how its mail is signed."""
        found: dict[str, list[str]] = {}
        for line in self.lines:
            # One for every domain is the operator's own, and no plan's.
            if (match := KEY.match(line.strip())) and match[2] != "*":
                found.setdefault(match[2], []).append(line)
        return found


def staged(new: FileSet, before: FileSet) -> FileSet:
    """`new` itself where nothing goes."""
    there = {(block.kind, block.name): block for block in _blocks(new.whole())}
    gone: list[_Block] = []
    keys: dict[str, list[str]] = {}
    for block in _blocks(before.whole()):
        now = there.get((block.kind, block.name))
        if now is None:
            gone.append(block)
        elif block.kind == VIRTUAL_MTA:
            signs = now.keys
            if lines := [line for d, ls in block.keys.items() if d not in signs for line in ls]:
                keys[block.name] = lines if now.signs else [*lines, *_SIGNING]
    if not gone and not keys:
        return new
    files = {name: "".join(_with(text, keys)) for name, text in new.files.items()}
    if gone:
        # Pools name VirtualMTAs: these first.
        gone.sort(key=lambda block: block.kind != VIRTUAL_MTA)
        files[FORMER] = _HEADER + "\n".join("".join(block.lines) for block in gone)
        files[MAIN] += f"include {_FOLDER}/{FORMER}\n"
    return FileSet(files)


def staged_text(new: str, before: str) -> str:
    """The same of one file that has everything."""
    found = staged(FileSet({MAIN: new}), FileSet({MAIN: before}))
    return found.whole()


def _blocks(text: str) -> Iterator[_Block]:
    block: _Block | None = None
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if match := OPEN.match(stripped):
            block = _Block(match[1], match[2], [])
        if block is not None:
            block.lines.append(line)
            if CLOSE.match(stripped):
                yield block
                block = None


def _with(text: str, keys: dict[str, list[str]]) -> Iterator[str]:
    """With keys at the top of their VirtualMTAs' blocks: one of the operator's own for every domain
    stands behind them, as it did."""
    for line in text.splitlines(keepends=True):
        yield line
        if (match := OPEN.match(line.strip())) and match[1] == VIRTUAL_MTA:
            yield from keys.get(match[2], ())
