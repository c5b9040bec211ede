"""The commented sample configuration, made from the structs: `python -m settings.sample`.

Pure: reads the fields, their defaults and the manual text under each from `settings.model`.
Rule: the sample is never edited by hand, so that it cannot say what the program does not do.
"""

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import msgspec

from settings import model
from settings.agent import Agent

_WIDTH = 96

_HEAD = """\
Sendgate's configuration: every setting with its default. Keep only the lines you change.
Read from --config FILE, else $SENDGATE_CONFIG, else /etc/sendgate/sendgate.toml; checked by \
`sendgate check`. An unknown key is an error.
A variable of the environment wins over this file: [gateway] workers is \
SENDGATE_GATEWAY_WORKERS, a list is comma-separated. Secrets belong there (see sendgate.env) or in \
files: NAME_FILE beside each variable NAME, or systemd's credentials.
Times are seconds, sizes octets. A key that is commented out has no default; a value beside it is \
an example.
Made by `python -m settings.sample`."""


class MissingManualError(Exception):
    """A field has no text under it; the message names it."""


@cache
def manuals(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Field name to the text under it, joined to one line. Raises MissingManualError."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found: dict[str, str] = {}
    for field, below in zip(body, [*body[1:], ast.Pass()], strict=True):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        text = below.value if isinstance(below, ast.Expr) else None
        if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
            raise MissingManualError(f"{kind.__name__}.{field.target.id} has no manual text")
        found[field.target.id] = " ".join(text.value.split())
    return found


def sample() -> str:
    """The whole file, as TOML. Raises MissingManualError."""
    lines = [line for text in _HEAD.splitlines() for line in _comment(text)]
    for section in msgspec.structs.fields(model.Settings):
        lines += ["", *_section(section.name, section.default)]
    return "\n".join(lines) + "\n"


_AGENT = """\
The configuration of `sendgate pmta agent`, on PowerMTA's host: every setting with its default.
Read from --config FILE, else /etc/sendgate/agent.toml. An unknown key is an error.
Times are seconds, sizes octets.
Made by `python -m settings.sample agent`."""


def agent_sample() -> str:
    """The agent's file, as TOML. Raises MissingManualError."""
    lines = [line for text in _AGENT.splitlines() for line in _comment(text)]
    return "\n".join([*lines, "", *_table("", Agent())]) + "\n"


def _section(name: str, default: msgspec.Struct) -> Iterator[str]:
    yield from _comment(inspect.getdoc(type(default)) or "")
    yield f"[{name}]"
    yield from _table(name, default)


def _table(path: str, value: msgspec.Struct) -> Iterator[str]:
    """Plain keys first: TOML counts what follows a sub-table's header to the sub-table."""
    texts = manuals(type(value))
    kinds = {field.name: field.type for field in msgspec.structs.fields(value)}
    names = list(kinds)
    later = [name for name in names if _is_rows(getattr(value, name))]
    for name in names:
        if name not in later:
            yield from _comment(texts[name])
            yield from _keys(name, getattr(value, name), kinds[name])
    for name in later:
        for row in getattr(value, name):
            yield ""
            yield from _comment(texts[name])
            yield f"[[{path}.{name}]]"
            yield from _table(f"{path}.{name}", row)


def _is_rows(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(row, msgspec.Struct) for row in value)


def _keys(name: str, value: Any, kind: Any) -> Iterator[str]:
    if value is None:
        yield " ".join([f"# {name} =", *map(_literal, _examples(kind))])
    elif value == {}:
        yield f"{name} = {{}}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield f"{name}.{key} = {_literal(inner)}"
    else:
        yield f"{name} = {_literal(value)}"


def _examples(kind: Any) -> list[Any]:
    """What the field's type gives as one, for a field without a default."""
    metas = [meta for one in get_args(kind) for meta in getattr(one, "__metadata__", ())]
    return [example for meta in metas for example in (meta.examples or ())][:1]


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        # JSON's escapes are a part of TOML's, the text itself being ASCII.
        return json.dumps(value)
    return f"[{', '.join(_literal(inner) for inner in value)}]"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


if __name__ == "__main__":
    sys.stdout.write(agent_sample() if sys.argv[1:] == ["agent"] else sample())
