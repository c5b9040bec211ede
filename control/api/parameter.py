"""What the document says of parameters in paths and queries: the named types that bodies have.

Rule: what a schema here refuses is refused (400), or is not there (404). What names a thing may be
its number, too. Texts that are only searched for, and words that mean no where they are not
yes, have no pattern: the API takes all of them.
"""

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from control import kinds
from control.api.body import controls, refuse
from control.held.filter import FilterText
from control.plan.configured import DESIRED, PLAN, RUNNING
from control.problem import FieldProblem, RefusedError, cut, quoted
from control.users.person import PersonName
from control.users.token import TokenName
from control.values.host import DomainText
from control.values.ip import IpText
from control.values.mailbox import RecipientText
from control.values.network import NetworkText
from control.values.query import CONTROLS, NO, YES, flag
from control.values.time import DayText
from control.values.wanted import parts
from control.values.wording import EMPTY, wrong
from policy.model import Name

NUMBER = "[0-9]{1,18}"
"""What `Call.number` and ids may be; how large it is the description says."""
NUMBERS = re.compile("0|[1-9][0-9]{0,18}")
"""How a number is written in a query that a struct describes."""
NumberText = Annotated[str, msgspec.Meta(pattern=f"^{NUMBER}$")]
LimitText = Annotated[str, msgspec.Meta(pattern="^0{0,14}(?:[1-9][0-9]{0,2}|1000)$")]
"""1 to `MOST` entries of a list: none is no question."""
DaysText = Annotated[
    str, msgspec.Meta(pattern="^0{0,14}(?:[1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6])$")
]
"""1 to 366."""
WaitText = Annotated[str, msgspec.Meta(pattern="^0{0,16}(?:[0-9]|10)$")]
"""Up to `LONGEST_WAIT` seconds of one request for a change."""
NamedText = Annotated[str, msgspec.Meta(min_length=1)]
VersionText = Annotated[str, msgspec.Meta(pattern=f"^(?:{NUMBER}|{RUNNING}|{DESIRED}|{PLAN})$")]
_SAYING = {"pattern", "anyOf", "enum"}
"""Words of a schema that say which characters a text has."""

PATH: dict[str, tuple[Any, ...]] = {
    "tenant": (Name,),
    "pool": (Name,),
    "server": (Name,),
    "ip": (IpText, Name),
    "domain": (DomainText, NumberText),
    "recipient": (DomainText,),
    "address": (RecipientText, NumberText),
    "message": (FilterText,),
    "request": (NumberText,),
    "plan": (NumberText,),
    "name": (Name,),
    "user": (PersonName,),
    "token": (TokenName,),
    "day": (DayText,),
    "import": (NumberText,),
    "subject": (IpText, DomainText),
}
"""Part of a path to the types, any of which it may be."""

QUERY: dict[str, tuple[Any, ...]] = {
    "tenant": (Name,),
    "limit": (LimitText,),
    "server": (Name,),
    "wait": (WaitText,),
    "seen": (NumberText,),
    "days": (DaysText,),
    "day": (DayText,),
    "before": (NumberText,),
    "login": (NamedText,),
    "network": (NetworkText,),
    "address": (RecipientText,),
    "from": (VersionText,),
    "to": (VersionText,),
    "part": (Annotated[str, msgspec.Meta(pattern="^(?:headers|whole)$")],),
}
"""The same of a query, where no struct has it."""


def schema(place: str, name: str) -> dict[str, Any]:
    """Of parameter `name` of a route that has no struct for it; `place` is `path` or `query`."""
    kinds = (PATH if place == "path" else QUERY).get(name, ())
    found = [msgspec.json.schema(kind) for kind in kinds]
    if not found:
        return {"type": "string"}
    return found[0] if len(found) == 1 else {"anyOf": found}


def described(kind: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Of the fields of a route's struct: parameter to its meaning and its schema."""
    if kind is None:
        return {}
    return {
        field.encode_name: (
            " ".join(meta.description for meta in parts(field.type)[1] if meta.description),
            _schema(field.type),
        )
        for field in msgspec.structs.fields(kind)
    }


def read(query: Mapping[str, str], kind: Any) -> Any:
    """The parameters as struct `kind`. Raises RefusedError (400) that lists all that are wrong."""
    if kind is None:
        return None
    values: dict[str, Any] = {}
    found: list[FieldProblem] = []
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in query:
            continue
        try:
            values[field.name] = _value(query[name], _plain(field.type))
        except ValueError as error:
            found.append(FieldProblem(name, str(error)))
    refuse(found)
    return kind(**values)


def unknown(name: str, why: str = "") -> RefusedError:
    """A query has a parameter that the path does not take."""
    said = f"unknown query parameter {cut(name)}"
    return RefusedError(
        f"{said}: {why}" if why else said, kind=kinds.UNKNOWN_PARAMETER, field=cut(name)
    )


def possible(*named: Mapping[str, str]) -> None:
    """Raises RefusedError (400) for a NUL, which no name has and PostgreSQL no word for, and for a
    tenant that is named by nothing: who meant one must not see all."""
    found = [
        FieldProblem(name, "control characters cannot be used")
        for texts in named
        for name, text in texts.items()
        if "\0" in text
    ]
    if any(texts.get("tenant") == "" for texts in named):
        found.append(FieldProblem("tenant", EMPTY))
    refuse(found)


def _plain(kind: Any) -> Any:
    """Without null: in a query, what is not meant is left out."""
    kinds = [one for one in parts(kind)[0] if one is not type(None)]
    return functools.reduce(lambda one, other: one | other, kinds)


def _schema(kind: Any) -> dict[str, Any]:
    plain = _plain(kind)
    if plain is bool:
        return {"type": "string", "enum": [*YES, *NO]}
    found = msgspec.json.schema(plain)
    if found.get("type") == "string" and not _SAYING & found.keys():
        found["pattern"] = f"^[^{CONTROLS}]*$"
    if found.get("type") == "string" and "enum" not in found:
        found.setdefault("minLength", 1)
    return found


def _value(text: str, kind: Any) -> Any:
    """Raises ValueError with a sentence."""
    if not text:
        raise ValueError(EMPTY)
    if kind is bool:
        return flag(text)
    # Also where a pattern says which: a `$` of re takes a line end behind it.
    if (said := _schema(kind)).get("type") == "string" and controls(text):
        raise ValueError("control characters cannot be used")
    if said.get("type") == "integer" and not NUMBERS.fullmatch(text):
        raise ValueError(f"expected a whole number, not {quoted(text)}")
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(wrong(error, kind, text)) from error
