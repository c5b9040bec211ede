"""What the document says of parameters in paths and queries: the named types that bodies have.

Rule: what a schema here refuses is refused (400), or is not there (404). What names a thing may be
its number, too. Texts that are only searched for, and words that mean no where they are not
yes, have no pattern: the API takes all of them.
"""

from typing import Annotated, Any

import msgspec

from control.held.filter import FilterText
from control.held.held import STATES
from control.values.host import DomainText
from control.values.ip import IpText
from control.values.mailbox import RecipientFilter, RecipientText
from policy.model import Name

NUMBER = "[0-9]{1,18}"
"""What `Call.number` and ids may be; how large it is the description says."""
NumberText = Annotated[str, msgspec.Meta(pattern=f"^{NUMBER}$")]
_STATE = f"(?:{'|'.join(STATES)})"

PATH: dict[str, tuple[Any, ...]] = {
    "tenant": (Name,),
    "pool": (Name,),
    "server": (Name,),
    "ip": (IpText, Name),
    "domain": (DomainText, NumberText),
    "address": (RecipientText, NumberText),
    "message": (FilterText,),
    "request": (NumberText,),
    "plan": (NumberText,),
    "name": (Name,),
}
"""Part of a path to the types, any of which it may be."""

QUERY: dict[str, tuple[Any, ...]] = {
    "tenant": (Name,),
    "limit": (NumberText,),
    "wait": (NumberText,),
    "seen": (NumberText,),
    "offset": (NumberText,),
    "recipient": (RecipientFilter,),
    "campaign": (FilterText,),
    "message": (FilterText,),
    "state": (Annotated[str, msgspec.Meta(pattern=f"^{_STATE}(?:,{_STATE})*$")],),
    "part": (Annotated[str, msgspec.Meta(pattern="^(?:headers|whole)$")],),
}
"""The same of a query, wherever it has that name."""

_HELD = "/api/v2/hold"
_ONLY: dict[str, str] = {"campaign": _HELD, "message": _HELD, "state": _HELD, "recipient": _HELD}
"""Names that mean something else, or are not looked at, under other paths."""


def schema(place: str, name: str, path: str) -> dict[str, Any]:
    """Of parameter `name` of a route; `place` is `path` or `query`."""
    kinds = (PATH if place == "path" else QUERY).get(name, ())
    if place == "query" and not path.startswith(_ONLY.get(name, "")):
        kinds = ()
    found = [msgspec.json.schema(kind) for kind in kinds]
    if not found:
        return {"type": "string"}
    return found[0] if len(found) == 1 else {"anyOf": found}
