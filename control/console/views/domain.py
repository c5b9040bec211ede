"""One sending domain: its DNS records to copy, what DNS has of them, the rotation of its key.

Rule: DNS is asked when somebody says so (`check=1`): some twenty questions, each with its time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from control.console.page import Action, Done, Page
from control.console.told import forced, told, trying
from control.console.visit import Visit
from control.plan.changed import Changed, Removed
from control.sources.dns import Record
from control.sources.domainview import DomainView

ONE = "/api/v2/domains/{domain}"
CHECK, ROTATION, MOVE = f"{ONE}/check", f"{ONE}/rotation", f"{ONE}/move"


async def view(visit: Visit) -> Mapping[str, Any]:
    """`domain` of the path, of the tenant that is looked at."""
    one: DomainView = await visit.ask("GET", ONE, names=_named(visit), query=_whose(visit))
    check = None
    if visit.query.get("check", "") == "1":
        check = await visit.part("GET", CHECK, names=_named(visit), query={"tenant": one.tenant})
    return {
        "title": one.domain,
        "one": one,
        "zone": zone(one.records),
        "check": check,
        "stage": STAGES.get(one.rotation.stage, "") if one.rotation else "",
    }


STAGES = {
    "waiting": "not every resolver shows the new key yet; the old one signs",
    "seen": "every resolver shows the new key; it signs soon",
    "signing": "the new key signs; the former one and its record stay for a while",
}


def zone(records: Sequence[Record]) -> str:
    """As lines of a zone file, each name whole. Pure."""
    return "\n".join(f"{one.name}. {one.type} {_value(one)}" for one in records)


def _value(one: Record) -> str:
    """A TXT record's texts in quotes, of at most 255 octets each (RFC 1035, 3.3.14)."""
    if one.type != "TXT" or one.value.startswith('"'):
        return one.value
    text = one.value.replace("\\", "\\\\").replace('"', '\\"')
    parts = [text[at : at + 255] for at in range(0, len(text), 255)]
    return " ".join(f'"{part}"' for part in parts)


async def rotate(visit: Visit) -> Done:
    """A new key, which signs once DNS shows it; tried first."""
    body = visit.given("selector", "reason")
    done: Changed[DomainView] = await visit.ask(
        *("POST", ROTATION), names=_named(visit), query=_asked(visit), body=body
    )
    name = done.view.domain
    return told(
        done,
        f"A new DKIM key of {name} would be made.",
        f"The new DKIM key of {name} is made: publish its record.",
    )


async def call_off(visit: Visit) -> Done:
    """Unless it signs; tried first."""
    query = _asked(visit) | {"reason": visit.form.get("reason", "")}
    done: Changed[DomainView] = await visit.ask(
        "DELETE", ROTATION, names=_named(visit), query=query
    )
    name = done.view.domain
    return told(
        done, f"The new key of {name} would be called off.", f"The new key of {name} is called off."
    )


async def finish(visit: Visit) -> Done:
    """The former key goes; tried first."""
    query = _asked(visit) | {"reason": visit.form.get("reason", "")}
    done: Changed[DomainView] = await visit.ask(
        "POST", f"{ROTATION}/finish", names=_named(visit), query=query
    )
    name = done.view.domain
    return told(
        done, f"The former key of {name} would be deleted.", f"The former key of {name} is deleted."
    )


async def move(visit: Visit) -> Done:
    """To another pool of its tenant; tried first."""
    done: Changed[DomainView] = await visit.ask(
        *("POST", MOVE),
        names=_named(visit),
        query=_asked(visit),
        body=visit.given("pool", "reason"),
    )
    one = done.view
    records = [
        f"{it.change} record: {it.name} {it.type} {it.value}"
        for it in (*one.records, *one.also)
        if it.change
    ]
    said = told(
        done,
        f"{one.domain} would use pool {one.pool}.",
        f"{one.domain} uses pool {one.pool}: look at its DNS records.",
    )
    return Done(said.said, notes=(*said.notes, *(records if done.dry_run else ())), to=said.to)


async def remove(visit: Visit) -> Done:
    """With its DKIM key; its IPs stay. Tried first."""
    done: Changed[Removed] = await visit.ask(
        "DELETE", ONE, names=_named(visit), query=_whose(visit) | forced(visit)
    )
    name = done.view.name
    return told(
        done,
        f"{name} and its DKIM key would be gone; its IPs stay.",
        f"{name} and its DKIM key are gone.",
        to="/domains",
    )


def _named(visit: Visit) -> dict[str, str]:
    return {"domain": visit.names["domain"]}


def _whose(visit: Visit) -> dict[str, str]:
    return {"tenant": visit.tenant or ""}


def _asked(visit: Visit) -> dict[str, str]:
    return _whose(visit) | trying(visit)


PAGE = Page(
    path="/domains/{domain}",
    title="One domain",
    template="domain.html",
    view=view,
    needs=("GET", ONE),
    under="/domains",
    also={"check": ("GET", CHECK)},
    actions={
        "rotate": Action(("POST", ROTATION), rotate, "Make a new key", tried=True),
        "call_off": Action(("DELETE", ROTATION), call_off, "Call the new key off", tried=True),
        "finish": Action(
            ("POST", f"{ROTATION}/finish"), finish, "Delete the former key", tried=True
        ),
        "move": Action(("POST", MOVE), move, "Move it", tried=True),
        "remove": Action(("DELETE", ONE), remove, "Remove the domain", tried=True),
    },
)
