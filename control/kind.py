"""A kind of problem, as RFC 9457 (3.1.1) means a type; `control.kinds` has the table of them."""

from typing import Literal

import msgspec

PATH = "/api/problems"
"""Relative, as RFC 9457 (3.1.1) allows: the same behind every proxy and name."""

Where = Literal["any", "known", "body", "change", "keyed", "tagged", "needed", "entry", "door"]
"""Which requests may meet a kind: any, of who needs a token, with a body, that change something,
that take an Idempotency-Key, that can have a condition or need one, that sign in; `door`: none that
has a route, or not one of JSON."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem."""

    name: str
    status: int
    title: str
    """The same for each of the kind."""
    means: str
    fix: str
    """`{field}` stands for the one to blame."""
    where: Where = "any"

    @property
    def type(self) -> str:
        """What a problem of this kind has as its `type`: where it is explained."""
        return f"{PATH}/{self.name}"

    def remedy(self, field: str = "") -> str:
        """What to do, of a field where one is to blame."""
        return self.fix.replace("{field}", field or "what the detail names")
