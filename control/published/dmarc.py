"""The DMARC record that receivers apply to a domain: its own, or its organisation's.

RFC 7489, and the walk up the tree of its successor (DMARCbis), which needs no list of public
suffixes: without a record of its own a domain has the one furthest up, unless a record says psd=.
"""

import re
from collections.abc import Sequence

from control.published.asking import Questions
from control.published.finding import DnsFinding, Verdict
from control.published.subject import Subject
from control.published.taglist import TagListError, tags_of
from control.sources.dns import zone_text

MOST_WALKED = 8
"""Names that are asked, the domain's own among them."""
_POLICIES = ("none", "quarantine", "reject")
_URI = re.compile(r"mailto:[^@\s,!]+@[^@\s,!]+(![0-9]+[kmgt]?)?\Z", re.I)


async def dmarc_finding(subject: Subject, questions: Questions) -> DnsFinding:
    """One."""
    domain = subject.domain
    name = f"_dmarc.{domain}"
    suggested = [zone_text(r) for r in subject.of("TXT") if r.name == name]
    own = await questions.ask(name, "TXT")
    if own.state == "unknown":
        return _found(name, "unknown", f"not known: {own.why}")
    records = [text for text in own.values if is_dmarc(text)]
    if records:
        verdict, what = judge(records)
        return _found(name, verdict, what, records, [] if verdict == "ok" else suggested)
    at, text, why = await _above(domain, questions)
    if why:
        return _found(name, "unknown", f"none of its own, and above it is not known: {why}")
    if text:
        verdict, what = judge([text])
        policy = tags_of(text).get("sp", tags_of(text).get("p", "")) if verdict == "ok" else ""
        said = f"that of {at} applies ({policy})" if verdict == "ok" else f"that of {at}: {what}"
        return _found(name, verdict, said, [text], [] if verdict == "ok" else suggested)
    what = "no DMARC record is published, nor above it: large providers refuse bulk mail without"
    if own.values:
        what = "what is published is no DMARC record: it has to begin with v=DMARC1"
    return _found(name, "error", what, list(own.values), suggested)


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is one of DMARC; its version stands first, as it is written here."""
    return re.match(r"v\s*=\s*DMARC1\s*(;|\Z)", text) is not None


def judge(records: list[str]) -> tuple[Verdict, str]:
    """Of the DMARC records at one name. Pure."""
    if len(records) > 1:
        return "error", f"{len(records)} DMARC records are there: receivers use none of them"
    try:
        tags = tags_of(records[0])
    except TagListError as error:
        return "error", f"the record cannot be read: {error}"
    policy = tags.get("p", "")
    if policy.lower() not in _POLICIES:
        given = f"p={policy} is none of" if policy else "it has no p=, one of"
        return "error", f"{given} none, quarantine and reject"
    if tags.get("sp", "none").lower() not in _POLICIES:
        return "error", f"sp={tags['sp']} is none of none, quarantine and reject"
    for tag in ("rua", "ruf"):
        for uri in tags.get(tag, "").split(",") if tag in tags else ():
            if not _URI.match(uri.strip()):
                return "error", f"{tag}={uri.strip()}: an address for reports is mailto:ADDRESS"
    for tag in ("adkim", "aspf"):
        if tags.get(tag, "r") not in ("r", "s"):
            return "error", f"{tag}={tags[tag]} is neither r nor s"
    return "ok", f"published, with p={policy}"


async def _above(domain: str, questions: Questions) -> tuple[str, str, str]:
    """Where a record that applies is, the record, and why it is not known."""
    labels = domain.split(".")
    # Long names skip to the last seven labels: nobody is asked more often than eight times.
    first = max(1, len(labels) - MOST_WALKED + 1)
    at, found = "", ""
    for start in range(first, len(labels)):
        parent = ".".join(labels[start:])
        answer = await questions.ask(f"_dmarc.{parent}", "TXT")
        if answer.state == "unknown":
            return "", "", f"_dmarc.{parent}: {answer.why}"
        records = [text for text in answer.values if is_dmarc(text)]
        if len(records) != 1:
            continue
        boundary = _boundary(records[0])
        if boundary == "y" and found:
            return at, found, ""
        at, found = parent, records[0]
        if boundary in ("y", "n"):
            break
    return at, found, ""


def _boundary(text: str) -> str:
    try:
        return tags_of(text).get("psd", "u")
    except TagListError:
        return "u"


def _found(
    name: str, verdict: Verdict, what: str, there: Sequence[str] = (), wanted: Sequence[str] = ()
) -> DnsFinding:
    there = () if verdict == "ok" else there
    return DnsFinding(
        about="DMARC", name=name, verdict=verdict, what=what, there=[*there], wanted=[*wanted]
    )
