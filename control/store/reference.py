"""What a name or a number given by people stands for: the one place where either is looked up.

Rule: a name comes before a number, so that an old name of digits still means what it always meant;
new names of digits alone are refused. What belongs to another tenant is not there.
"""

import ipaddress
from typing import Literal

from control.problem import RefusedError, missing
from control.store.database import Connection
from policy.address import mailbox_of, normal_domain
from settings.statements import statements

_SQL = statements(__package__, "reference")

Noun = Literal["tenant", "pool", "ip", "domain", "server", "plan", "mailbox"]

_CALLED: dict[Noun, str] = {"ip": "IP", "server": "PowerMTA server", "plan": "warm-up plan"}

LONGEST_ID = 18
"""Digits; what has more is no bigint."""


async def key(
    connection: Connection, noun: Noun, given: str, *, tenant: str | None = None
) -> str | None:
    """The key of what `given` names (of an IP its address in the usual spelling), or None.

    `tenant`: only what belongs to it."""
    number = int(given) if is_id(given) else 0
    found = await connection.fetchval(_SQL[noun], spelt(noun, given), number, tenant)
    return None if found is None else str(found)


async def must(connection: Connection, noun: Noun, given: str, *, tenant: str | None = None) -> str:
    """As `key`. Raises RefusedError (404) where it names nothing."""
    found = await key(connection, noun, given, tenant=tenant)
    if found is None:
        raise no_such(noun, given)
    return found


def no_such(noun: Noun, given: str) -> RefusedError:
    """The refusal of a name that names nothing, or another tenant's."""
    return missing(_CALLED.get(noun, noun), given)


def spelt(noun: Noun, given: str) -> str:
    """A name as it is stored, where it can be written in several ways."""
    if noun == "ip":
        try:
            return str(ipaddress.ip_address(given))
        except ValueError:
            return given
    if noun == "domain":
        return normal_domain(given) or given
    return (mailbox_of(given) or given) if noun == "mailbox" else given


def is_id(text: str) -> bool:
    """Whether it can be a number of a thing."""
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID
