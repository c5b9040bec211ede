"""Strict JSON bodies: every field problem of a request is reported, not only the first."""

import re
from typing import Any

import msgspec

from control import kinds
from control.api import numbered
from control.problem import FieldProblem, RefusedError
from control.values.query import CONTROLS
from control.values.wording import wrong


def decode(data: bytes, kind: Any) -> Any:
    """A body as struct `kind`. Raises RefusedError (400) that lists all field problems."""
    if not data.strip():
        needed = [f.encode_name for f in msgspec.structs.fields(kind) if f.required]
        missing = f", with {', '.join(needed)}" if needed else ""
        detail = f"there is no body: a JSON object is wanted{missing}"
        raise RefusedError(detail, kind=kinds.UNREADABLE_BODY)
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(f"the body is not JSON: {error}", kind=kinds.UNREADABLE_BODY) from error
    raw = _whole(raw)
    if not isinstance(raw, dict):
        raise RefusedError("the body must be a JSON object", kind=kinds.UNREADABLE_BODY)
    raw = numbered.texts(raw)
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    found = [FieldProblem(key, "no such field") for key in raw if key not in fields]
    # Nothing that is kept, logged or shown in a terminal has any use for them; a password, which is
    # none of that, is checked where it is hashed; of files of several lines their reader says so.
    free = {"password", *getattr(kind, "of_lines", ())}
    found += [
        FieldProblem(key, "control characters cannot be used")
        for key, value in raw.items()
        if key in fields and key not in free and controls(value)
    ]
    for key, field in fields.items():
        if key not in raw:
            if field.required:
                found.append(FieldProblem(key, "is missing"))
            continue
        try:
            msgspec.convert(raw[key], field.type)
        except msgspec.ValidationError as error:
            found.append(FieldProblem(key, wrong(error, field.type, raw[key])))
    refuse(found)
    return msgspec.convert(raw, kind)


_EXACT = 2**53
"""Below it each whole number is one double, and no other."""


def _whole(value: Any) -> Any:
    """With 292 in place of 292.0: for JSON Schema that is a whole number (2020-12 Core, 4.2.2),
    and some languages write no other."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def refuse(found: list[FieldProblem]) -> None:
    """Raises RefusedError (400), if there are any."""
    if found:
        title = f"{len(found)} fields are wrong" if len(found) > 1 else "a field is wrong"
        raise RefusedError(title, status=400, errors=found)


_CONTROLS = re.compile(f"[{CONTROLS}]")


def controls(value: Any) -> bool:
    """Whether a text in it has control characters or line ends."""
    if isinstance(value, str):
        return _CONTROLS.search(value) is not None
    if isinstance(value, dict):
        return any(controls(key) or controls(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(controls, value))
