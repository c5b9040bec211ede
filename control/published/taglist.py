"""Lists of tag=value, as DKIM and DMARC records are (RFC 6376 section 3.2). Pure."""

import re

_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*(.*?)\s*\Z", re.DOTALL)


class TagListError(ValueError):
    """The text is no such list, and who reads it ignores it whole."""


def tags_of(text: str) -> dict[str, str]:
    """In their order. Raises TagListError, which names the part."""
    found: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip():
        parts.pop()  # a semicolon at the end is allowed, and usual
    for part in parts:
        match = _TAG.match(part)
        if match is None:
            raise TagListError(f"{part.strip()[:40]!r} is no tag=value")
        name = match[1]
        if name in found:
            raise TagListError(f"{name}= is there twice")
        found[name] = match[2]
    return found
