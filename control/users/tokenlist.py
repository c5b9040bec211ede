"""Tokens in parts, found by what they are."""

from typing import Annotated, Literal

import msgspec

from control.keyset import Column, Keyset
from control.store.database import Connection
from control.users.role import SCOPES, Scope
from control.users.token import TokenView, view
from control.values.part import Part, Slice
from control.values.query import FoundText, Limit
from control.values.time import TimeText, moment
from control.values.wanted import meant
from policy.model import Name
from settings.statements import statements

_SQL = statements(__package__, "token")
_KEY = Column(name="name", sql='t.name COLLATE "C"')
LIST = Keyset(
    _SQL["page"].replace("{shown}", _SQL["shown"].rstrip(";")),
    {
        "name": (_KEY,),
        "created": (Column(name="created", sql="t.created", kind="timestamptz"), _KEY),
    },
    given=6,
)


class TokenQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    scope: Annotated[Scope | None, meant("Only with this scope.")] = None
    tenant: Annotated[Name | None, meant("Only of this tenant; not those of all.")] = None
    expired: Annotated[bool | None, meant("Whether it ended.")] = None
    unused: Annotated[TimeText | None, meant("ISO time: only what was not used since.")] = None
    sort: Annotated[
        Literal["name", "-name", "created", "-created"], meant("What by; - before it: backwards.")
    ] = "name"
    prefix: Annotated[FoundText | None, meant("Only those whose name begins so.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 1000.")] = 1000


async def listed(
    connection: Connection, scope: list[str] | None, wanted: TokenQuery, part: Part
) -> Slice[TokenView]:
    """A part of all; `scope`: those that are of these tenants alone. Raises RefusedError."""
    role = None if wanted.scope is None else SCOPES.get(wanted.scope, wanted.scope)
    unused = None if wanted.unused is None else moment(wanted.unused, "unused")
    given = (scope, role, wanted.tenant, wanted.expired, unused, wanted.prefix)
    rows, after = await LIST.rows(connection, part, *given)
    return Slice([view(row) for row in rows], after)
