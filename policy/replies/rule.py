"""One rule: which reply it knows, what the reply is about, and what follows from it. Pure."""

from typing import Literal

import msgspec

Scope = Literal["ip", "domain", "url", "recipient", "content", "server"]
"""Whose fault: the source IP's, the sending domain's, a link's, the recipient's, the message's, or
the receiving server's own."""

Kind = Literal["block", "rate", "complaint", "address", "auth", "full", "transient"]
"""What it is: refused, too much at once, complained about, nobody there, not authenticated, no
room, or nothing but a bad moment."""

Action = Literal["pause", "backoff", "slow", "alert", "suppress", "bounce", "retry"]
"""What follows (`follows.py` says it in a sentence)."""

FITTING: dict[Action, dict[Scope, frozenset[Kind]]] = {
    "pause": {"ip": frozenset({"block"})},
    "backoff": {"ip": frozenset({"block", "rate", "complaint"})},
    "slow": {"ip": frozenset({"rate"})},
    "alert": {
        "ip": frozenset({"auth"}),
        "domain": frozenset({"block", "rate", "auth", "complaint"}),
        "url": frozenset({"block", "rate"}),
        "content": frozenset({"block", "rate"}),
    },
    "suppress": {"recipient": frozenset({"address"})},
    "bounce": {"recipient": frozenset({"address", "block", "full", "rate"})},
    "retry": {"server": frozenset({"rate", "transient"}), "recipient": frozenset({"transient"})},
}
"""The scopes an action may have, with their kinds: only what an IP is blamed for reaches the IP,
so that a domain's missing DKIM record never holds up the others that share it."""

SHORTEST, LONGEST = 60, 7 * 86_400
"""Seconds of a back-off. Providers name minutes to a day; a week is a block, not a back-off."""


class ReplyRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of replies.toml, ready to be compared."""

    name: str
    providers: tuple[str, ...]
    """Who says it; empty: anybody may."""
    code: str
    """First digits of the three-digit code: `550`, `5`, or '' for any."""
    status: str
    """Enhanced status: `5.7.26`, or '' for any."""
    detail: tuple[int, int] | None
    """A range of the status's last number; `status` is the two before it then."""
    tokens: frozenset[str]
    """Codes of the provider's own, one of which stands in the reply; empty: none is needed."""
    texts: tuple[str, ...]
    """All stand in the reply; lower case, single blanks."""
    unless: tuple[str, ...]
    """None stands in it."""
    scope: Scope
    kind: Kind
    action: Action
    seconds: int | None
    """How long the action lasts, where the source or the provider says so."""
    source: str
    """URL of where the golden reply is quoted."""
    seen: str
    """Year and month in which the source was read: 2026-11."""
    golden: str
    """The provider's words."""

    @property
    def coded(self) -> bool:
        """A code decides, not wording: nobody else says [TSS04] or 5.7.606."""
        return bool(self.tokens) or self.detail is not None or len(_last(self.status)) > 2

    @property
    def hard(self) -> bool:
        """The address will never take mail. A block of an IP is none of its fault."""
        return self.action == "suppress"


def _last(status: str) -> str:
    return status.rpartition(".")[2]
