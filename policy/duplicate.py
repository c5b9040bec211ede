"""The duplicate key of a message, and the campaign it belongs to (policy/README.md: identity).

Owns: where the ids of a campaign mail are read, and the digest. Not here: what an entry under the
key means (`policy.ledger`), which patterns can be used (`policy.pattern`).
Rule: without certainty there is no key. A key too many loses a message, a key too few only sends
one twice after a fault: ten identical password resets are ten messages.
Failure: none; what cannot be read is no id.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from policy import pattern
from policy.address import normal_domain, normal_local
from policy.model import Duplicates
from policy.pattern import pattern_problem as pattern_problem

_JOB_LONGEST = 64
_FOLD = re.compile(rb"\r\n(?=[ \t])")
# MailWizz makes ids of 13 letters and digits; the bounds are those of policy.model's patterns.
_UID = re.compile(rb"[A-Za-z0-9]{6,40}")
_UNSAFE = bytes(n for n in range(256) if not bytes((n,)).isalnum())


class KeyFields(NamedTuple):
    """Header fields that may name a message: unparsed values, folds included, b"" for none."""

    feedback_id: bytes = b""
    list_unsubscribe: bytes = b""
    mw_campaign: bytes = b""
    """`X-Mw-Campaign-Uid` and, next, `X-Mw-Subscriber-Uid`: MailWizz before 2.1."""
    mw_subscriber: bytes = b""
    message_id: bytes = b""
    """b"" also when the header has several: then none of them names the message."""
    subject: bytes = b""


class Identity(NamedTuple):
    """What a message is known by."""

    campaign: str
    """Up to 64 letters and digits, safe in `x-job`; '' for none."""
    key: str
    """32 hex digits (128 bits), as envelope ids carry it; '' for a message without a key."""


# 4 µs for MailWizz's Feedback-ID and one recipient, half as much again when the ids are in
# List-Unsubscribe (tests/bench).
def identify(
    duplicates: Duplicates,
    scope: str,
    recipients: Sequence[bytes],
    fields: KeyFields,
    body: Callable[[], bytes],
) -> Identity:
    """The campaign and the key of one message.

    `scope`: the tenant's `key_scope`; `recipients` as RCPT gave them, in any order; `body` is asked
    for in mode `content` only.
    A campaign without a subscriber is reported, but makes no key."""
    campaign, subscriber = _ids(duplicates, fields)
    named: Iterable[bytes] = ()
    match duplicates.mode:
        case "campaign" if campaign and subscriber:
            named = (campaign, subscriber)
        case "message-id" if identifier := _message_id(fields.message_id):
            named = (identifier,)
        case "content":
            named = (_unfolded(fields.subject), body())
    key = _digest(duplicates.mode, scope, recipients, named) if named else ""
    return Identity(campaign=_job(campaign), key=key)


def _digest(mode: str, scope: str, recipients: Sequence[bytes], named: Iterable[bytes]) -> str:
    normal = sorted([_normal(recipient) for recipient in recipients])
    parts = b"".join([b"%d:%b" % (len(p), p) for p in (*normal, *named)])
    return blake2b(_begin(mode, scope, len(normal)) + parts, digest_size=16).hexdigest()


@lru_cache(maxsize=1024)
def _begin(mode: str, scope: str, recipients: int) -> bytes:
    """Each part stands under its length: no two lists of parts make the same octets."""
    parts = (mode.encode(), scope.encode(), b"%d" % recipients)
    return b"".join([b"%d:%b" % (len(p), p) for p in parts])


def recipient_key(key: str, recipient: bytes) -> str:
    """The key of one recipient of a message with several, when they go one by one."""
    return blake2b(key.encode() + b" " + _normal(recipient), digest_size=16).hexdigest()


def recipient_digest(recipient: bytes) -> int:
    """What receipts keep of a recipient: 64 bits, never 0, the same for two spellings of one."""
    octets = blake2b(_normal(recipient), digest_size=8).digest()
    return int.from_bytes(octets, "big", signed=True) or 1


def _normal(recipient: bytes) -> bytes:
    """Local parts belong to the recipient's server: `Anna@` and `anna@` may be two people, but
    `"anna"@` is `anna@`."""
    local, at, domain = recipient.rpartition(b"@")
    return normal_local(local) + at + _normal_domain(domain)


# An address has at most 254 octets where it is kept.
@lru_cache(maxsize=4096)
def _normal_domain(domain: bytes) -> bytes:
    try:
        normal = normal_domain(domain.decode())
    except UnicodeDecodeError:
        normal = None
    return domain.lower() if normal is None else normal.encode()


def _ids(duplicates: Duplicates, fields: KeyFields) -> tuple[bytes, bytes]:
    """(campaign, subscriber) of the first field that has both; else the first campaign alone.

    Two ids of different fields are never put together: they may speak of different things."""
    alone = b""
    if fields.feedback_id:
        campaign, subscriber = _feedback_id(duplicates.feedback_id, fields.feedback_id)
        if campaign and subscriber:
            return campaign, subscriber
        alone = campaign
    if fields.list_unsubscribe:
        campaign, subscriber = _unsubscribe(duplicates.list_unsubscribe, fields.list_unsubscribe)
        if campaign and subscriber:
            return campaign, subscriber
        alone = alone or campaign
    if fields.mw_campaign:
        campaign, subscriber = _uid(fields.mw_campaign), _uid(fields.mw_subscriber)
        if campaign and subscriber:
            return campaign, subscriber
        alone = alone or campaign
    return alone, b""


def _feedback_id(text: str, value: bytes) -> tuple[bytes, bytes]:
    # The pattern is of the whole value: the beginning of a longer one would give cut ids, and
    # cut ids make one message of two.
    known = pattern.compiled(text)
    if known is None or len(value) > pattern.READ:
        return b"", b""
    return _groups(known.fullmatch(_unfolded(value)))


def _unsubscribe(text: str, value: bytes) -> tuple[bytes, bytes]:
    known = pattern.compiled(text)
    if known is None:
        return b"", b""
    shown = _addresses(_unfolded(value[: pattern.READ]))
    match = known.search(shown)
    if match is None:
        return b"", b""
    end = match.end()
    if end == len(shown) and len(value) > pattern.READ:
        return b"", b""
    # An id that goes on was cut by the pattern's own bound.
    if shown[end - 1 : end].isalnum() and shown[end : end + 1].isalnum():
        return b"", b""
    return _groups(match)


def _addresses(value: bytes) -> bytes:
    """RFC 2369 section 2: blanks inside the angle brackets come from folding and are ignored."""
    if b" " not in value and b"\t" not in value:
        return value
    parts = [part.rpartition(b"<") for part in value.split(b">")]
    closed = [before + lt + uri.translate(None, b" \t") for before, lt, uri in parts[:-1]]
    return b">".join([*closed, b"".join(parts[-1])])


def _groups(match: re.Match[bytes] | None) -> tuple[bytes, bytes]:
    if match is None:
        return b"", b""
    campaign, subscriber = match.group("campaign", "subscriber")
    # An id without a letter or digit is none.
    if not campaign or not (campaign.isalnum() or _job(campaign)):
        campaign = b""
    return campaign, subscriber or b""


def _uid(value: bytes) -> bytes:
    match = _UID.fullmatch(_unfolded(value[: pattern.READ]))
    return match[0] if match else b""


def _message_id(value: bytes) -> bytes:
    """Empty unless the field holds exactly one id (RFC 5322 section 3.6.4)."""
    unfolded = _unfolded(value)
    several = unfolded.count(b"<") > 1 or b" " in unfolded or b"\t" in unfolded
    return b"" if several or not unfolded.strip(b"<>") else unfolded


def _unfolded(value: bytes) -> bytes:
    """RFC 5322 section 2.2.3, without the blanks at both ends."""
    return (_FOLD.sub(b"", value) if b"\r\n" in value else value).strip()


def _job(campaign: bytes) -> str:
    """PowerMTA takes no blanks in `x-job`; ids of other systems lose what is no letter or digit."""
    if not campaign.isalnum():
        campaign = campaign.translate(None, _UNSAFE)
    return campaign[:_JOB_LONGEST].decode("ascii")
