"""Run in the tools' venv: `python lint.py DOCUMENT`. Is it OpenAPI 3.1, and is each example what
its schema takes, by validators that know all of JSON Schema 2020-12? One line a problem; exit code
1 for any."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
from openapi_spec_validator import OpenAPIV31SpecValidator


def shown(node: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(where, schema, example) of each that has both."""
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield where, node["schema"], node["example"]
        for name, inner in node.items():
            if name not in ("example", "schema", "schemas"):
                yield from shown(inner, f"{where}/{name}")
    elif isinstance(node, list):
        for at, inner in enumerate(node):
            yield from shown(inner, f"{where}/{at}")


def problems(document: dict[str, Any]) -> Iterator[str]:
    """Of the whole."""
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
    parts = {"components": document["components"]}
    for where, schema, example in shown(document):
        judge = jsonschema_rs.Draft202012Validator({**parts, "allOf": [schema]})
        for error in judge.iter_errors(example):
            yield f"{where}: {str(error.message)[:300]}"


if __name__ == "__main__":
    whole = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = list(problems(whole))
    print("\n".join([*found, f"{len(list(shown(whole)))} examples, {len(found)} problems"]))
    sys.exit(bool(found))
