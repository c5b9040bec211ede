"""People in parts, found by what they are."""

from typing import Annotated, Literal

import msgspec

from control.keyset import Column, Keyset
from control.store.database import Connection
from control.users.person import SQL, PersonView, view
from control.users.role import PersonRole
from control.values.part import Part, Slice
from control.values.query import FoundText, Limit
from control.values.wanted import meant
from policy.model import Name

_KEY = Column(name="name", sql='p.name COLLATE "C"')
LIST = Keyset(
    SQL["page"].replace("{shown}", SQL["shown"].rstrip(";")),
    {
        "name": (_KEY,),
        "created": (Column(name="created", sql="p.created", kind="timestamptz"), _KEY),
    },
    given=5,
)


class UserQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    role: Annotated[PersonRole | None, meant("Only with this role.")] = None
    tenant: Annotated[Name | None, meant("Only of this tenant; not those of all.")] = None
    state: Annotated[
        Literal["active", "invited", "disabled"] | None, meant("Only in this state.")
    ] = None
    sort: Annotated[
        Literal["name", "-name", "created", "-created"], meant("What by; - before it: backwards.")
    ] = "name"
    prefix: Annotated[FoundText | None, meant("Only those whose name begins so.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 1000.")] = 1000


async def listed(
    connection: Connection, scope: list[str] | None, wanted: UserQuery, part: Part
) -> Slice[PersonView]:
    """A part of all; `scope`: those who are of these tenants alone. Raises RefusedError."""
    given = (scope, wanted.role, wanted.tenant, wanted.state, wanted.prefix)
    rows, after = await LIST.rows(connection, part, *given)
    return Slice([view(row) for row in rows], after)
