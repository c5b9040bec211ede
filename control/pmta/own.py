"""Lines of the operator's own inside the block of a VirtualMTA or pool: what a running
configuration had there and Sendgate has no word for, and whatever else PowerMTA knows.

Rule: they are PowerMTA's by the table of directives, or nothing is changed; what Sendgate writes
itself (addresses, keys, members) is not theirs to say.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from control.pmta.directive import why_not
from control.pmta.grammar.node import Block, File, Line, Place, commented, flat
from control.pmta.grammar.parse import parse
from control.pmta.grammar.printing import printed
from control.pmta.warning import warming_of, warnings
from control.problem import missing, quoted, taken
from control.store.change import Act
from control.store.database import Connection
from control.values.lines import Lines
from control.values.reason import ReasonText
from settings.statements import statements

_SQL = statements(__package__, "own")

Kind = Literal["virtual-mta", "virtual-mta-pool"]
_OURS = frozenset({"smtp-source-host", "host-name", "domain-key", "virtual-mta"})
"""Of rows: `sendgate ip`, `domain` and `pool` say them."""
_MOST = 65_536
"""Characters of one block's lines; a configuration of 178 `<domain>` blocks has 9,000."""


class OwnLines(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in one block."""

    name: str
    """Of the VirtualMTA or pool."""
    tenant: str
    kind: Kind
    lines: str


class NewOwnLines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to stand in it."""

    of_lines: ClassVar[tuple[str, ...]] = ("lines",)

    lines: Annotated[Lines, msgspec.Meta(max_length=_MOST)]
    """As in PowerMTA's configuration; empty: none."""
    reason: ReasonText = ""


async def every(connection: Connection) -> list[OwnLines]:
    """All there are, by name."""
    return [OwnLines(**dict(row)) for row in await connection.fetch(_SQL["all"])]


async def one(connection: Connection, name: str) -> OwnLines:
    """Of a VirtualMTA or pool, which may have none. Raises RefusedError."""
    row = await connection.fetchrow(_SQL["one"], name)
    if row is None:
        raise missing("VirtualMTA or pool", name)
    return OwnLines(**dict(row))


async def texts(connection: Connection) -> dict[str, str]:
    """Of all that have some, by name."""
    return {found.name: found.lines for found in await every(connection)}


async def put(act: Act, name: str, new: NewOwnLines, *, rollups: bool = True) -> OwnLines:
    """In the place of those before. `rollups`: as `warnings` has it. Raises RefusedError."""
    before = await one(act.connection, name)
    lines, file = _read(before.kind, new.lines)
    if before.kind == "virtual-mta-pool" and _has_domains(file):
        for pool, vmta in await act.connection.fetch(_SQL["beside"], before.name):
            raise taken(
                "lines",
                f"VirtualMTA {vmta} is in pool {pool}, too, which has <domain> blocks: PowerMTA "
                "takes them of one of its pools alone",
            )
    if lines == before.lines:
        act.no_change(f"{before.name} has these lines already")
        return before
    await _set(act.connection, before.name, before.kind, lines)
    was = {"lines": before.lines or None}
    now = {"lines": lines or None}
    await act.audit("pmta.own", before.name, was, now, new.reason, tenant=before.tenant)
    block = Block(
        place=Place("lines", 0), tag=before.kind, argument=before.name, inside=file.inside
    )
    whole = File(name="lines", inside=(block,))
    for warned in warnings([whole], warming_of([before.name], []), rollups=rollups):
        act.note(f"line {warned.place.line}, {warned.text}: {warned.why}")
    return msgspec.structs.replace(before, lines=lines)


async def keep(act: Act, name: str, lines: str) -> bool:
    """Of a configuration that is taken over: where there are none yet. Whether they were set."""
    before = await one(act.connection, name)
    if before.lines or not lines:
        return False
    await _set(act.connection, before.name, before.kind, lines)
    return True


async def _set(connection: Connection, name: str, kind: Kind, lines: str) -> None:
    await connection.execute(_SQL[f"set_{kind.replace('-', '_')}"], name, lines)


def _read(kind: Kind, text: str) -> tuple[str, File]:
    """(the lines in one shape, what they are). Raises RefusedError."""
    parsed = parse("lines", {"lines": text}, lambda *_: [])
    for fault in parsed.faults:
        raise taken("lines", f"line {fault.place.line}: {quoted(fault.text)}: {fault.why}")
    for _, node in commented(parsed.file.inside):
        if isinstance(node, Line) and node.name in _OURS:
            raise taken(
                "lines", f"line {node.place.line}: {node.name} is written by Sendgate itself"
            )
        _judge(kind, node)
    return printed(parsed.file.inside), parsed.file


def _judge(place: str, node: Line | Block) -> None:
    name = f"<{node.tag}>" if isinstance(node, Block) else node.name
    if why := why_not(place, name, node.argument):
        raise taken("lines", f"line {node.place.line}: {why}")
    if isinstance(node, Block):
        for inner in flat(node.inside):
            _judge(node.tag, inner)


def _has_domains(file: File) -> bool:
    return any(isinstance(node, Block) and node.tag == "domain" for node in flat(file.inside))
