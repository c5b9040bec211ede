"""Numbers of things in a body: `{"tenant": 3}` is what `/api/v2/tenants/3` and `?tenant=3` are.

Callers of older systems keep the ids of tenants as integers, and JSON has a form for these that
paths and queries have not. Rule: a number becomes its digits before the body is read, and means
what they do in a path: a name of digits comes first (control/store/reference.py).
"""

from typing import Any

from control.plan.names import BODY, GREATEST

TENANT = frozenset({"tenant"})
FIELDS = frozenset({"tenant", "tenants", *BODY})
"""Of a body itself; its rows have a tenant alone."""
_ABOUT = frozenset({"description", "default", "title"})
_NUMBER = {
    "type": "integer",
    "minimum": 1,
    "maximum": GREATEST,
    "description": "its number (`id`)",
}


def texts(body: dict[str, Any]) -> dict[str, Any]:
    """A body as JSON has it, with the digits of its numbers. What cannot be one stays. Pure."""
    found = _with_texts(body, FIELDS)
    for key, value in found.items():
        if isinstance(value, list):
            found[key] = [_with_texts(v, TENANT) if isinstance(v, dict) else v for v in value]
    return found


def _with_texts(fields: dict[str, Any], named: frozenset[str]) -> dict[str, Any]:
    return {key: _text(value) if key in named else value for key, value in fields.items()}


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(one) for one in value]
    # True is an int for Python, and no number for JSON.
    right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= GREATEST
    return str(value) if right else value


def say(schema: dict[str, Any], *, inner: bool) -> None:
    """Puts it into a body's schema, in place; `inner`: that of one of its rows."""
    fields = schema.get("properties", {})
    for name in fields.keys() & (TENANT if inner else FIELDS):
        fields[name] = _either(fields[name])


def _either(kind: dict[str, Any]) -> dict[str, Any]:
    if "items" in kind:
        return {**kind, "items": _either(kind["items"])}
    if "anyOf" in kind:
        if any("items" in one for one in kind["anyOf"]):
            return {**kind, "anyOf": [_either(o) if "items" in o else o for o in kind["anyOf"]]}
        return {**kind, "anyOf": [*kind["anyOf"], _NUMBER]}
    about = {key: value for key, value in kind.items() if key in _ABOUT}
    text = {key: value for key, value in kind.items() if key not in _ABOUT}
    return {**about, "anyOf": [text, _NUMBER]}
