"""Texts from outside on a terminal or a page: what would move a cursor, colour it, or turn the
order of its characters is shown by its number instead (CWE-150; Trojan Source, CVE-2021-42574).

A reply of somebody's mail server, a blocklist's TXT record or a subject may hold anything. Line
ends and tabs stay, and the marks that right-to-left text needs within a word or between two (U+200C
to U+200F).
"""

import re

_ACTIVE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u2028-\u202e\u2066-\u2069\ufeff]")


def inert(text: str) -> str:
    """`text` with these written as `\\x1b` or `\\u202e`."""
    return _ACTIVE.sub(_number, text)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
