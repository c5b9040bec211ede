"""What the document says of fields that belong together: at least one of these, or one alone.

A struct says it itself, beside its fields: `one_of`, the fields, and `only_one`, that a second one
is too many; `none_of`, fields that it has from another and that mean nothing here; `either`, that
what it says of some of them is to be so of one at least. Null is as good as nothing.
"""

from typing import Any

import msgspec


def say(schema: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Puts it into the schema of `kind`, in place."""
    if either := getattr(kind, "either", ()):
        schema["anyOf"] = [{"properties": fields} for fields in either]
    called = {f.name: f.encode_name for f in msgspec.structs.fields(kind)}
    for name in getattr(kind, "none_of", ()):
        schema["properties"][called[name]] = {"type": "null", "description": "It has no meaning."}
    names = tuple(getattr(kind, "one_of", ()))
    if not names:
        return
    alone = getattr(kind, "only_one", False)
    schema["anyOf"] = [
        {
            "required": [called[name]],
            "properties": {
                called[name]: {"not": {"type": "null"}},
                **({called[other]: {"type": "null"} for other in names if other != name and alone}),
            },
        }
        for name in names
    ]
