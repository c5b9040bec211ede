"""Strict JSON bodies: every field problem of a request is reported, not only the first."""

from typing import Any

import msgspec

from control.problem import FieldProblem, RefusedError
from settings.load import friendly


def decode(data: bytes, kind: Any) -> Any:
    """A body as struct `kind`. Raises RefusedError (400) that lists all field problems."""
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(f"the body is not JSON: {error}", status=400) from error
    if not isinstance(raw, dict):
        raise RefusedError("the body must be a JSON object", status=400)
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    found = [FieldProblem(key, "no such field") for key in raw if key not in fields]
    for key, field in fields.items():
        if key not in raw:
            if field.required:
                found.append(FieldProblem(key, "is missing"))
            continue
        try:
            msgspec.convert(raw[key], field.type)
        except msgspec.ValidationError as error:
            found.append(FieldProblem(key, _lower(friendly(str(error), field.type))))
    if found:
        title = f"{len(found)} fields are wrong" if len(found) > 1 else "a field is wrong"
        raise RefusedError(title, status=400, errors=found)
    return msgspec.convert(raw, kind)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
