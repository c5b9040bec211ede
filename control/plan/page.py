"""Which rows of a list are read: where the part begins, and what they must be."""

import msgspec


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list in the order of its keys. Every filter that is given must match."""

    after: str | None = None
    """The key before it; None: from the first on."""
    limit: int | None = None
    """At most so many; None: all."""
    containing: str | None = None
    """A text in the name, whatever its case."""
    state: str | None = None
    ip: str | None = None
    """Of domains: one that may carry them; of IPs: that one."""
    domain: str | None = None
    """Of IPs: one that they may carry."""
    pool: str | None = None
    """Of IPs: one that they are in."""
    plan: str | None = None
    """Of IPs: one that they are on."""
    provider: str | None = None
    """Of IPs: one at which they are at a stage of its own, or paused."""


WHOLE = Page()
