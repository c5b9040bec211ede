"""A list of mailboxes as CSV: read, looked at whole, and written all or not at all.

Rules: the list is one change, in one transaction, so whoever ends control meanwhile leaves nothing
of it. Every line that is wrong is named with what to do, up to `SHOWN`; then nothing is written. A
column that the list has not stays as it was; an empty cell takes the tenant's.
"""

import asyncio
import csv
import io
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import msgspec

from control.mailboxes.limits import SQL, contradiction, day, lock
from control.plan.terms import MailboxRamp, Spacing
from control.problem import FieldProblem, RefusedError, bad, quoted
from control.store.change import Act
from control.values.lines import Lines
from control.values.mailbox import mail_address
from control.values.name import printable
from control.values.ramp import falling
from control.values.wanted import meant
from control.values.wording import wrong
from policy.model import Count
from policy.number import count as numbered

COLUMNS = (
    "address", "daily_max", "daily_min", "spacing", "spacing_max", "ramp", "ramp_from",
    "per_minute", "per_hour",
)  # fmt: skip
MOST = 100_000
"""Lines of one list."""
_REMEMBERED = 1_024
"""Texts of a column whose values are known: lines say few limits, again and again. For one list: a
text may be as long as that is."""
AT_ONCE = 5_000
"""Rows of one statement."""
SHOWN = 100
"""Lines that are wrong and named."""
_LONGEST = 9_000_000

_EMAIL = {"email": "address", "mailbox": "address", "max": "daily_max", "min": "daily_min"}


class MailboxList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mailboxes as CSV."""

    of_lines: ClassVar[tuple[str, ...]] = ("csv",)

    csv: Annotated[
        Annotated[Lines, msgspec.Meta(max_length=_LONGEST)],
        meant(f"With a header that names the columns: {', '.join(COLUMNS)}; address is needed."),
    ]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a list."""

    tenant: str
    rows: int
    added: int
    changed: int
    unchanged: int


_Readers = dict[str, Callable[[str], Any]]
"""Column by column, in the list's order."""


class _List(msgspec.Struct):
    """What it says, column by column."""

    columns: list[str]
    lines: list[int] = msgspec.field(default_factory=list)
    values: dict[str, list[Any]] = msgspec.field(default_factory=lambda: {c: [] for c in COLUMNS})
    wrong: list[FieldProblem] = msgspec.field(default_factory=list)
    more: int = 0
    falling: str = ""
    """Of the first line whose ramp falls."""
    fell: int = 0

    def tell(self, line: int, text: str) -> None:
        if len(self.wrong) < SHOWN:
            self.wrong.append(FieldProblem(f"line {line}", text))
        else:
            self.more += 1

    def refuse(self) -> None:
        """Raises RefusedError for lines that are wrong."""
        if self.wrong:
            count = len(self.wrong) + self.more
            title = f"{numbered(count, 'line')} cannot be used: nothing was changed"
            raise RefusedError(title, status=400, errors=self.wrong)


async def take(act: Act, tenant: str, wanted: MailboxList) -> Imported:
    """Raises RefusedError with every line that is wrong."""
    found = await asyncio.to_thread(_read, wanted.csv)
    await lock(act, tenant)
    await _others(act, tenant, found)
    found.refuse()
    added = changed = 0
    for begin in range(0, len(found.lines), AT_ONCE):
        part = {name: values[begin : begin + AT_ONCE] for name, values in found.values.items()}
        row = await act.connection.fetchrow(
            SQL["import"], tenant, part["address"], found.columns, part["daily_max"],
            part["daily_min"], part["spacing"], part["spacing_max"], part["ramp"],
            part["ramp_from"], part["per_minute"], part["per_hour"],
        )  # fmt: skip
        added, changed = added + row["added"], changed + row["changed"]
        if row["added"] or row["changed"]:
            await _impossible(act, tenant, found, part["address"])
    found.refuse()
    if found.falling:
        more = f" (and {numbered(found.fell - 1, 'other line')})" if found.fell > 1 else ""
        act.note(f"{found.falling}{more}")
    rows = len(found.lines)
    if added or changed:
        said = {"rows": rows, "added": added, "changed": changed}
        await act.audit("mailbox.import", tenant, None, said, tenant=tenant)
    else:
        act.no_change("the list says what is there already")
    return Imported(
        tenant=tenant, rows=rows, added=added, changed=changed, unchanged=rows - added - changed
    )


async def _others(act: Act, tenant: str, found: _List) -> None:
    """Names lines whose domain another tenant sends from."""
    domains = {address.rpartition("@")[2] for address in found.values["address"]}
    records = await act.connection.fetch(SQL["others"], tenant, sorted(domains))
    foreign = {record["domain"] for record in records}
    if not foreign:
        return
    for line, address in zip(found.lines, found.values["address"], strict=True):
        domain = address.rpartition("@")[2]
        if domain in foreign:
            found.tell(line, f"{domain} is no sending domain of tenant {tenant}: take it out")


async def _impossible(act: Act, tenant: str, found: _List, addresses: list[str]) -> None:
    """Names lines that contradict what was there: the list alone cannot tell."""
    records = await act.connection.fetch(SQL["impossible"], tenant, addresses, SHOWN)
    if not records:
        return
    lines = dict(zip(found.values["address"], found.lines, strict=True))
    for record in records:
        address, *limits = record
        said = contradiction(*limits)
        if said:
            found.tell(lines[address], f"{said[0]}: {said[1]}")


def _read(text: str) -> _List:
    """Pure. Raises RefusedError for what is no such list at all."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = next(lines, [])
    except csv.Error as error:
        raise bad("csv", f"line 1 is not CSV: {error}") from error
    names = [name.strip().lower() for name in header]
    columns = [_EMAIL.get(name, name) for name in names]
    strange = [name for name in columns if name not in COLUMNS]
    if "address" not in columns or strange or len(set(columns)) < len(columns):
        why = f"{quoted(strange[0])} is no column" if strange else "address is needed, once"
        raise bad("csv", f"its first line names the columns, of {', '.join(COLUMNS)}: {why}")
    found, seen = _List(columns), dict[str, int]()
    readers = {
        column: read if column == "address" else lru_cache(maxsize=_REMEMBERED)(read)
        for column, read in ((column, _CELLS[column]) for column in columns)
    }
    for line, values in _rows(lines):
        if len(found.lines) == MOST:
            raise bad("csv", f"it has more than {MOST} lines: split it")
        _take(found, seen, line, readers, values)
    for column in COLUMNS:
        if column not in columns:
            found.values[column] = [None] * len(found.lines)
    return found


def _rows(lines: Any) -> Iterator[tuple[int, list[str]]]:
    try:
        for values in lines:
            if any(value.strip() for value in values):
                yield lines.line_num, values
    except csv.Error as error:
        raise bad("csv", f"line {lines.line_num} is not CSV: {error}") from error


def _take(
    found: _List, seen: dict[str, int], line: int, readers: _Readers, values: list[str]
) -> None:
    if len(values) != len(readers):
        found.tell(line, f"it has {len(values)} fields, and the header {len(readers)}")
        return
    row: dict[str, Any] = {}
    for (column, read), value in zip(readers.items(), values, strict=True):
        try:
            row[column] = read(value.strip())
        except RefusedError as error:
            found.tell(line, error.line())
            return
    address = row["address"]
    if address in seen:
        found.tell(line, f"{address} is on line {seen[address]}, too: take one out")
        return
    # What the list does not say is looked at once it is written.
    if {"spacing", "spacing_max"} <= row.keys() and (
        said := contradiction(
            row.get("daily_max"), row.get("daily_min"), row["spacing"], row["spacing_max"]
        )
    ):
        found.tell(line, f"{said[0]}: {said[1]}")
        return
    if said_ := falling([int(one) for one in (row.get("ramp") or "{}")[1:-1].split(",") if one]):
        found.falling = found.falling or f"line {line}: {said_}"
        found.fell += 1
    seen[address] = line
    found.lines.append(line)
    for column, value in row.items():
        found.values[column].append(value)


def _address(text: str) -> str:
    if not printable(text):
        raise bad("address", f"{quoted(text)} has control characters")
    return mail_address("address", text)


def _number(field: str, kind: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not text:
            return None
        try:
            return msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            raise bad(field, f"{wrong(error, kind, text)}, not {quoted(text)}") from error

    return read


def _ramp(text: str) -> str | None:
    """As PostgreSQL has an array: `50 200 500`; `none` is none."""
    if not text:
        return None
    stages = [] if text.lower() == "none" else text.split()
    try:
        found = msgspec.convert(stages, MailboxRamp, strict=False)
    except msgspec.ValidationError as error:
        why = wrong(error, MailboxRamp, stages)
        raise bad("ramp", f"{quoted(text)} is not a ramp such as `50 200 500`: {why}") from error
    return "{" + ",".join(map(str, found)) + "}"


_CELLS: _Readers = {
    "address": _address,
    "daily_max": _number("daily_max", Count),
    "daily_min": _number("daily_min", Count),
    "spacing": _number("spacing", Spacing),
    "spacing_max": _number("spacing_max", Spacing),
    "ramp": _ramp,
    "ramp_from": lambda text: day("ramp_from", text) if text else None,
    "per_minute": _number("per_minute", Count),
    "per_hour": _number("per_hour", Count),
}
