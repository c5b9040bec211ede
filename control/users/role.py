"""What somebody may do, and whose: the same for tokens and people."""

from typing import Literal

import msgspec

Role = Literal["admin", "operator", "read", "scrape", "accounting", "agent"]

ROLES: tuple[Role, ...] = ("scrape", "read", "operator", "admin")
"""Each may do what those before it may. `accounting` and `agent` are none of them: the first posts
PowerMTA's records and sees nothing, the second is given that PowerMTA's configuration, too."""

ALL_ROLES: tuple[Role, ...] = (*ROLES, "accounting", "agent")

Scope = Literal["admin", "operate", "read", "scrape", "accounting", "agent"]
SCOPES: dict[str, Role] = {"operate": "operator"}
"""Scopes that have not the name of their role."""

FEEDERS = frozenset({"accounting", "agent", "operator", "admin"})
"""Those that may post accounting."""
CONFIGURED = frozenset({"agent", "admin"})
"""Those that are given PowerMTA's configuration with its private keys."""

PersonRole = Literal["viewer", "operator", "admin"]
"""What a person is called; a viewer reads."""
PERSON_ROLES: dict[str, Role] = {"viewer": "read", "operator": "operator", "admin": "admin"}


class Holder(msgspec.Struct, frozen=True):
    """Who asks."""

    name: str
    """Of the token, or the person."""
    role: Role
    tenants: tuple[str, ...] | None
    """The only ones that are seen; None: all."""
    person: int | None = None
    """Its id; None: a token."""
    session: str = ""
    """Of a person."""

    @property
    def kind(self) -> str:
        """As the audit log has it."""
        return "token" if self.person is None else "user"

    @property
    def known_as(self) -> str:
        """Its role, as whoever gave it wrote it: of a person `viewer`, of a token `read`."""
        if self.person is None:
            return self.role
        return next(word for word, role in PERSON_ROLES.items() if role == self.role)

    @property
    def said(self) -> str:
        """For a sentence."""
        return f"{self.kind} {self.name}"

    @property
    def owns(self) -> str:
        """Whose it is, for a sentence."""
        found = self.tenants or ()
        if len(found) == 1:
            return f"of tenant {found[0]} alone"
        return f"of tenants {', '.join(found)} alone" if found else "of no tenant any more"
