"""What a look at DNS found, for people: what is wrong, what is there, what should be. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec

Verdict = Literal["ok", "warning", "unknown", "error"]
"""unknown: nobody answered, so nothing is said to be wrong."""

_ORDER: tuple[Verdict, ...] = ("ok", "warning", "unknown", "error")


class DnsFinding(msgspec.Struct, frozen=True, kw_only=True):
    """About one thing that is published, or is not."""

    about: Literal["SPF", "DKIM", "DMARC", "A", "AAAA", "PTR", "MX"]
    name: str
    """Where in DNS it was looked for."""
    verdict: Verdict
    what: str
    """One sentence."""
    there: list[str] = []
    """What is published there now; empty: nothing, or nothing that is to be changed."""
    wanted: list[str] = []
    """The records that should be there, as lines of a zone file."""


class DomainCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What is published of one sending domain."""

    tenant: str
    domain: str
    verdict: Verdict
    """Of the gravest finding."""
    findings: list[DnsFinding]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of them."""
    return max(verdicts, key=_ORDER.index, default="ok")
