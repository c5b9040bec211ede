"""DKIM keys as DNS has them, compared with those that sign (RFC 6376 section 3.6.1)."""

import base64
import re
from typing import NamedTuple

from control.published.asking import Answer, Questions
from control.published.finding import DnsFinding, Verdict
from control.published.subject import PublicKey, Role, Subject
from control.published.taglist import TagListError, tags_of
from control.sources.dns import dkim_name, dkim_record, zone_text


class Judged(NamedTuple):
    """A key in DNS against ours."""

    verdict: Verdict
    what: str


async def dkim_findings(subject: Subject, questions: Questions) -> list[DnsFinding]:
    """Of each key."""
    return [await _finding(subject.domain, key, questions) for key in subject.keys]


async def _finding(domain: str, key: PublicKey, questions: Questions) -> DnsFinding:
    name = dkim_name(key.selector, domain)
    answer = await questions.ask(name, "TXT")
    judged = _by_role(judge(answer, key.public), key.role)
    fine = judged.verdict in ("ok", "unknown")
    wanted = [] if fine else [zone_text(dkim_record(key.selector, domain, key.public))]
    return DnsFinding(
        about="DKIM",
        name=name,
        verdict=judged.verdict,
        what=judged.what,
        there=[] if fine else list(answer.values),
        wanted=wanted,
    )


def _by_role(judged: Judged, role: Role) -> Judged:
    """What is no fault yet, or not for long any more, is a warning."""
    if role == "signing":
        return judged
    said = {"ok": "published", "error": judged.what}.get(judged.verdict, judged.what)
    verdict: Verdict = "warning" if judged.verdict == "error" else judged.verdict
    if role == "next":
        return Judged(verdict, f"the key that takes over: {said}")
    return Judged(verdict, f"the former key, with which mail under way is signed: {said}")


def judge(answer: Answer, public: str) -> Judged:
    """What the TXT records at a selector say of the key with this `p=`. Pure."""
    if answer.state == "unknown":
        return Judged("unknown", f"not known: {answer.why}")
    if answer.absent:
        return Judged("error", "no key is published: what is signed with it does not verify")
    # 3.6.2.2: what happens with several is undefined, and verifiers differ.
    if len(answer.values) > 1:
        return Judged("error", f"{len(answer.values)} TXT records are there: exactly one may be")
    try:
        tags = tags_of(answer.values[0])
    except TagListError as error:
        return Judged("error", f"the record cannot be read: {error}")
    return _of_tags(tags, public)


def _of_tags(tags: dict[str, str], public: str) -> Judged:
    if "p" not in tags:
        return Judged("error", "the record has no p=: it is no DKIM key")
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        return Judged("error", "v= is DKIM1 and stands first, or verifiers ignore the record")
    if not tags["p"]:
        return Judged("error", "the key is revoked (its p= is empty)")
    if tags.get("k", "rsa") != "rsa":
        return Judged("error", f"k={tags['k']}: ours is an RSA key")
    if "h" in tags and "sha256" not in _list(tags["h"]):
        return Judged("error", f"h={tags['h']} does not allow sha256, with which is signed")
    if "s" in tags and not {"*", "email"} & set(_list(tags["s"])):
        return Judged("error", f"s={tags['s']} does not allow the key for mail")
    same = _same(tags["p"], public)
    if same.verdict == "ok" and "y" in _list(tags.get("t", "")):
        return Judged("warning", "t=y: the key is for tests, and verifiers treat mail as unsigned")
    return same


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(":")]


def _same(published: str, public: str) -> Judged:
    bare = re.sub(r"\s+", "", published)
    try:
        there = base64.b64decode(bare, validate=True)
    except ValueError:  # also of what is not ASCII
        there = b""
    ours = base64.b64decode(public)
    if there == ours:
        return Judged("ok", "the key that signs is published")
    if bare and public.startswith(bare):
        cut = f"the key is cut off after {len(bare)} of {len(public)} characters: a record longer "
        return Judged("error", f"{cut}than 255 octets goes in several strings")
    if not there:
        return Judged("error", "p= is not in base64")
    return Judged("error", "another key is published than the one that signs")
