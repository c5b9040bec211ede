"""/api/docs: the document as a page for people, made from it and nothing else.

Rule: no script runs in it and nothing is fetched for it; every word of the document is escaped. It
is the same for everybody, as the document is: it has nothing of anybody's.
"""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from importlib import resources
from typing import Any

import msgspec

PATH = "/api/docs"
SUMMARY = "All of this as a page"

_STYLE = resources.files(__package__).joinpath("docspage.css").read_text(encoding="utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # What it says changes with the version alone; who upgrades wants to read the new one.
    "Cache-Control": "no-cache",
}

Tree = dict[str, Any]


def page(document: Tree) -> str:
    """HTML of an OpenAPI document as `openapi.document` makes it."""
    return "".join(_page(document))


def _page(document: Tree) -> Iterator[str]:
    info = document["info"]
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(info['title'])}: the API</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><nav>"
    )
    by = _by_tag(document)
    yield '<a href="#top"><b>The API</b></a><ul>'
    for tag in by:
        yield f'<li><a href="#{escape(tag)}">{escape(tag)}</a></li>'
    yield '<li><a href="#schemas">schemas</a></li></ul></nav>\n<main id="top">'
    yield f"<h1>{escape(info['title'])}: the API</h1><p>{_prose(info.get('description', ''))}</p>"
    yield (
        f'<p class="soft">{sum(map(len, by.values()))} operations. For programs: '
        '<a href="/api/openapi.json">openapi.json</a>. Search it with the browser’s own.</p>'
    )
    means = {one["name"]: one["description"] for one in document.get("tags", ())}
    for tag, operations in by.items():
        yield f'\n<h2 id="{escape(tag)}">{escape(tag)}</h2><p>{_prose(means.get(tag, ""))}</p><ul>'
        for path, method, one in operations:
            yield (
                f'<li><a href="#{escape(one["operationId"])}">{_method(method)}'
                f"<code>{escape(path)}</code></a> {escape(one['summary'])}</li>"
            )
        yield "</ul>"
        for path, method, one in operations:
            yield from _operation(document, path, method, one)
    yield '\n<h2 id="schemas">schemas</h2><p>What bodies and answers are made of.</p>'
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield from _schema(name, schema)
    yield "</main></body></html>\n"


def _by_tag(document: Tree) -> dict[str, list[tuple[str, str, Tree]]]:
    found: dict[str, list[tuple[str, str, Tree]]] = {
        one["name"]: [] for one in document.get("tags", ())
    }
    for path, operations in sorted(document["paths"].items()):
        for method, one in operations.items():
            found.setdefault(one["tags"][0], []).append((path, method, one))
    return found


def _operation(document: Tree, path: str, method: str, one: Tree) -> Iterator[str]:
    at, role = escape(one["operationId"]), (one["x-sendgate-roles"] or ["nobody"])[0]
    yield (
        f'\n<section class="one" id="{at}"><span class="role">{escape(role)}</span>'
        f'<h3>{_method(method)}<a href="#{at}"><code>{escape(path)}</code></a></h3>'
        f"<p>{_prose(one['description'])}</p>"
    )
    if one["parameters"]:
        yield "<h4>Parameters</h4><table><tbody>"
        for parameter in one["parameters"]:
            where = f"in {parameter['in']}" + (", needed" if parameter.get("required") else "")
            yield _row(
                f"<code>{escape(parameter['name'])}</code> {_soft(where)}",
                _prose(parameter.get("description", "")),
                _kind(parameter["schema"]),
            )
        yield "</tbody></table>"
    if "requestBody" in one:
        yield "<h4>Request</h4>"
        yield from _contents(one["requestBody"]["content"])
    yield "<h4>Answers</h4><table><tbody>"
    for status, answer in one["responses"].items():
        yield _row(f"<b>{escape(status)}</b>", _prose(_found(document, answer)["description"]), "")
    yield "</tbody></table>"
    for answer in one["responses"].values():
        if "$ref" not in answer:
            yield from _contents(
                {m: c for m, c in answer.get("content", {}).items() if "problem" not in m}
            )
    yield "</section>"


def _contents(contents: Tree) -> Iterator[str]:
    for media, content in contents.items():
        yield f'<p><span class="soft">{escape(media)}</span> {_kind(content["schema"])}</p>'
        if "example" in content:
            yield f"<pre>{escape(_json(content['example']))}</pre>"


def _schema(name: str, schema: Tree) -> Iterator[str]:
    at = f"schema-{escape(name)}"
    yield (
        f'\n<section class="one" id="{at}"><h3><a href="#{at}"><code>{escape(name)}</code></a></h3>'
        f"<p>{_prose(schema.get('description', ''))}</p>"
    )
    needed = set(schema.get("required", ()))
    if "properties" not in schema:
        yield f"<p>{_kind(schema)}</p></section>"
        return
    yield "<table><tbody>"
    for key, kind in schema["properties"].items():
        yield _row(
            f"<code>{escape(key)}</code> {_soft('needed') if key in needed else ''}",
            _prose(kind.get("description", "")),
            _kind(kind),
        )
    yield "</tbody></table></section>"


def _kind(schema: Tree) -> str:
    """The form of a value, in a few words of HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}"><code>{name}</code></a>'
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(_json(one))}</code>" for one in schema["enum"])
    either = schema.get("anyOf", schema.get("oneOf"))
    if either:
        return " or ".join(dict.fromkeys(map(_kind, either)))
    kind = schema.get("type", "anything")
    kind = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    said = [escape(kind)]
    for word, text in _BOUNDS.items():
        if word in schema:
            said.append(f"{text} {escape(_json(schema[word]))}")
    if schema.get("default") not in (None, "", [], {}):
        said.append(f"default <code>{escape(_json(schema['default']))}</code>")
    return ", ".join(said)


_BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "more than",
    "maximum": "to",
    "exclusiveMaximum": "less than",
    "minLength": "at least",
    "maxLength": "at most",
    "maxItems": "at most",
}


def _found(document: Tree, answer: Tree) -> Tree:
    if "$ref" not in answer:
        return answer
    found: Tree = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return found


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _soft(text: str) -> str:
    return f'<span class="soft">{escape(text)}</span>'


def _method(method: str) -> str:
    return f'<span class="method {escape(method)}">{escape(method.upper())}</span>'


def _prose(text: str) -> str:
    """A text of the document, what stands between ` as code."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if at % 2 and at < len(parts) - 1 else part
        for at, part in enumerate(parts)
    )


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
