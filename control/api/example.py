"""Examples for the document, made from its schemas and one vocabulary (`vocabulary.toml`).

Rule: an example is right by its schema, or there is none. What it shows is made up, always the
same, and nobody's.
"""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

Schema = dict[str, Any]
Schemas = dict[str, Schema]

_DEEP = 8
"""Objects in objects; what lies deeper is left out."""
_TEXTS = (
    *("text", "1", "acme", "2026-03-01", "192.0.2.10", "held", "anna@gmail.com"),
    *("0" * 32, "1.1", '["x"]', "acme/mail.acme.example", "headers", "total", "day"),
)
"""What a text may be where the vocabulary has no word."""
_KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


class NoExampleError(Exception):
    """Nothing that we know fits."""


@cache
def _values() -> dict[str, list[Any]]:
    text = resources.files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8")
    found: dict[str, list[Any]] = tomllib.loads(text)["values"]
    return found


class Examples:
    """Of one document's schemas."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, name: str = "", *, whole: bool = True, deep: int = 0) -> Any:
        """One value. `name`: of the field or parameter that has it; `whole`: with the fields that
        may be left out. Raises NoExampleError."""
        schema = self._resolved(schema)
        for known in (*_values().get(name, ()), *schema.get("examples", ())):
            if self._fits(schema, known):
                return known
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next((one for one in schema["enum"] if one is not None), None)
        kinds = schema.get("type", "object" if "properties" in schema else "")
        several = [kinds] if isinstance(kinds, str) else kinds
        kind = next((one for one in several if one != "null"), "null")
        if kind == "object":
            return self._object(schema, name, whole, deep)
        if kind == "array":
            return self._array(schema, name, whole, deep)
        for one in _either(schema):
            if one.get("type") != "null":
                try:
                    found = self.of({**one, **_bounds(schema)}, name, whole=whole, deep=deep)
                except NoExampleError:
                    continue
                if self._fits(schema, found):
                    return found
        return self._plain(schema, kind)

    def _plain(self, schema: Schema, kind: str) -> Any:
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        candidates: dict[str, tuple[Any, ...]] = {
            "string": _TEXTS,
            "integer": (1, least, schema.get("maximum", 1)),
            "number": (1, 0.5, least, schema.get("maximum", 1)),
            "boolean": (schema.get("default", False),),
            "null": (None,),
            "": ({}, *_TEXTS),
        }
        for one in (*((schema["default"],) if "default" in schema else ()), *candidates[kind]):
            if self._fits(schema, one):
                return one
        raise NoExampleError(str(schema)[:200])

    def _object(self, schema: Schema, name: str, whole: bool, deep: int) -> dict[str, Any]:
        needed = set(schema.get("required", ()))
        found: dict[str, Any] = {}
        for key, kind in schema.get("properties", {}).items():
            if deep >= _DEEP and key not in needed:
                continue
            if whole or key in needed:
                try:
                    found[key] = self.of(kind, key, whole=whole, deep=deep + 1)
                except NoExampleError:
                    if key in needed:
                        raise
        others = schema.get("additionalProperties")
        if not found and isinstance(others, dict) and others and deep < _DEEP:
            names = schema.get("propertyNames", {})
            found[self.of(names, "provider") if names else "gmail"] = self.of(
                others, name, whole=whole, deep=deep + 1
            )
        return found

    def _array(self, schema: Schema, name: str, whole: bool, deep: int) -> list[Any]:
        if deep >= _DEEP:
            return []
        return [self.of(schema.get("items", {}), name, whole=whole, deep=deep + 1)]

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def _fits(self, schema: Schema, value: Any) -> bool:
        """Whether a plain value is right: the words that our types use."""
        schema = self._resolved(schema)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if isinstance(value, bool) and kinds and "boolean" not in kinds:
            return False
        if kinds and not any(isinstance(value, _KINDS[kind]) for kind in kinds):
            return False
        if "enum" in schema and value not in schema["enum"]:
            return False
        either = _either(schema)
        if either and not any(self._fits(one, value) for one in either):
            return False
        if "not" in schema and self._fits(schema["not"], value):
            return False
        if isinstance(value, str):
            return _text_fits(schema, value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _number_fits(schema, value)
        return True  # a list or an object is made of what fits


def _either(schema: Schema) -> list[Schema]:
    found: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or []
    return found


def _bounds(schema: Schema) -> Schema:
    return {k: v for k, v in schema.items() if k in ("minLength", "maxLength")}


def _text_fits(schema: Schema, value: str) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return False
    return re.search(schema.get("pattern", ""), value) is not None


def _number_fits(schema: Schema, value: float) -> bool:
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )
