"""Changes of the audit log as CSV, for a spreadsheet. Pure."""

import io
from collections.abc import Iterable
from csv import writer
from typing import Any

import msgspec

from control.users.audit import AuditEntry


def as_csv(entries: Iterable[AuditEntry]) -> str:
    """With a head. A text that a spreadsheet would calculate has a quote before it."""
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(AuditEntry.__struct_fields__)
    for entry in entries:
        values = [getattr(entry, field) for field in AuditEntry.__struct_fields__]
        rows.writerow([_cell(value) for value in values])
    return text.getvalue()


def as_text(value: Any) -> str:
    """A value of a change: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    text = as_text(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
