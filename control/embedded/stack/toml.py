"""Writes settings as TOML, for the processes the stack starts. Pure."""

import json
from typing import Any

import msgspec

from settings.model import Settings


def to_toml(settings: Settings) -> str:
    """A file `settings.load` reads back as the same settings."""
    lines: list[str] = []
    for section, table in msgspec.to_builtins(settings).items():
        lines.append(f"[{section}]")
        rows: list[tuple[str, dict[str, Any]]] = []
        for key, value in table.items():
            # TOML has no null: leaving the key out is how a setting keeps its default.
            if value is None:
                continue
            if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
                rows += [(key, row) for row in value]
            else:
                lines.append(f"{key} = {_value(value)}")
        for key, row in rows:
            lines.append(f"[[{section}.{key}]]")
            lines += [f"{name} = {_value(value)}" for name, value in row.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's; DEL alone is allowed there and not here.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(k)} = {_value(v)}" for k, v in value.items()) + "}"
    return "[" + ", ".join(_value(item) for item in value) + "]"
