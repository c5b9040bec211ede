"""The OpenAPI document says what the API takes: what a schema refuses is refused, and what it takes
is not refused for its form, for each operation and each field of its body."""

import re
import urllib.parse
from typing import Any

import msgspec
import pytest

from control.api import body, openapi
from control.api.route import Route
from control.app import Parts, routes
from control.problem import RefusedError
from tests.support.control.core import Api
from tests.support.control.schema import TEXTS, Judge

PASSWORD = "correct horse"
PATHS = {
    "tenant": "acme",
    "pool": "acme",
    "name": "acme",
    "ip": "192.0.2.10",
    "domain": "example.com",
    "address": "news@example.com",
    "user": "anna",
    "token": "panel",
    "subject": "192.0.2.10",
    "plan": "1",
}

NEEDED = {"login": "acme-smtp"}
"""What the query of a change must name."""

BODIES: dict[str, dict[str, Any]] = {
    "NewOwnLines": {"lines": "max-smtp-out 5"},
    "ImportFile": {"digest": "0" * 32, "size": 10, "name": "acct.csv"},
    "NewTenant": {"name": "globex", "login": "globex", "password": PASSWORD},
    "TenantChange": {},
    "MailboxChange": {},
    "MailboxList": {"csv": "address,daily_max\na@acme.example,5\n"},
    "NewPassword": {"login": "acme-smtp", "password": PASSWORD},
    "NewLogin": {"login": "second", "password": PASSWORD},
    "NextPassword": {"password": PASSWORD},
    "NewNetwork": {"network": "192.0.2.0/24"},
    "NewDomain": {"tenant": "acme", "domain": "other.example", "ip": "192.0.2.11"},
    "DomainMove": {"pool": "acme"},
    "RotationOrder": {},
    "IpChange": {},
    "IpMove": {"pool": "acme"},
    "IpServer": {"server": "pmta1"},
    "Again": {},
    "NewSuppression": {"address": "anna@gmail.com"},
    "ImportedRows": {"rows": [{"address": "anna@gmail.com"}]},
    "NewPool": {"tenant": "acme", "name": "fast"},
    "PoolChange": {},
    "HandAct": {"action": "override", "reason": "a campaign that cannot wait"},
    "SimulationAsked": {},
    "TakenRows": {
        "rows": [{"tenant": "acme", "domain": "new.example", "ip": "192.0.2.12", "stage": 2}]
    },
    "TakeoverAsked": {
        "files": [{"name": "config", "text": "postmaster p@new.example"}],
        "main": ["config"],
        "tenant": "acme",
    },
    "GrowthAsked": {},
    "NewPlan": {"name": "steady", "quotas": [50, 100]},
    "ServerAddresses": {"name": "pmta1", "addresses": [{"host": "127.0.0.1", "port": 2525}]},
    "HoldOrder": {"action": "release", "tenant": "acme"},
    "Forget": {"recipient": "anna@gmail.com"},
    "Question": {"tenant": "acme", "from": "a@example.com", "to": "x@gmail.com"},
    "OpenLedger": {"confirm": True},
    "ClockMove": {},
    "Mute": {"key": "bypass"},
    "ControlAct": {"action": "trigger"},
    "Apply": {},
    "PlanBack": {},
    "Rollback": {"server": "pmta1", "version": 1},
    "SignIn": {"name": "anna", "password": PASSWORD},
    "SessionRefresh": {"refresh_token": "sgr_x"},
    "LinkRedeemed": {"link": "sgl_x", "password": PASSWORD},
    "PasswordChange": {"password": PASSWORD, "new": PASSWORD},
    "PasswordProof": {"password": PASSWORD},
    "FirstCode": {"code": "123456"},
    "NewUser": {"name": "ben"},
    "UserChange": {},
    "UserReset": {},
    "NewToken": {"name": "hers", "scope": "read"},
    "TokenChange": {},
    "WithoutCodes": {"password": PASSWORD, "code": "123456"},
}
"""A right body of each, to which one field is put."""

WITH = {
    ("NewTenant", "zone"): {"hours": "09:00-17:00"},
    ("TenantChange", "zone"): {"hours": "09:00-17:00"},
    ("NewTenant", "hours"): {"zone": "Europe/Paris"},
    ("HoldOrder", "confirm"): {"action": "drop"},
    ("HoldOrder", "tenant"): {"recipient": "anna@gmail.com"},
}
"""Without which a field has no meaning."""

_SPECIAL = "which addresses mean no host on the net is the registries' to say, not a pattern's"
_THERE = "what is there already under a name that is reserved now keeps it"
_REGEX = "policy.pattern judges a regular expression by running it: a schema has no word for that"
_OF_PLAN = "an IP with a quota of its own has no stage: that is what is there, not a form"
_OTHERS = "what is there, or its other fields, give it no meaning: not its form"
_ZONES = "the zones are those of the machine's tzdata, newer ones by and by"
_LOOKED_UP = "it names something that has to be there"

TAKEN_AND_REFUSED: dict[tuple[str, str], str] = {
    ("NewDomain", "ip"): _SPECIAL,
    ("ServerAddresses", "addresses"): _SPECIAL,
    ("ServerAddresses", "name"): _THERE,
    ("NewDomain", "pool"): _THERE,
    ("NewDomain", "overflow"): _LOOKED_UP,
    ("NewPool", "overflow"): _LOOKED_UP,
    ("PoolChange", "overflow"): _LOOKED_UP,
    ("NewTenant", "feedback_id"): _REGEX,
    ("NewTenant", "list_unsubscribe"): _REGEX,
    ("TenantChange", "feedback_id"): _REGEX,
    ("TenantChange", "list_unsubscribe"): _REGEX,
    ("NewTenant", "zone"): _ZONES,
    ("TenantChange", "zone"): _ZONES,
    ("MailboxChange", "spacing_max"): _OTHERS,
    ("MailboxChange", "ramp_from"): "which days a month has no pattern can say",
    ("TenantChange", "mailbox_spacing_max"): _OTHERS,
    ("NewTenant", "mailbox_spacing_max"): _OTHERS,
    ("MailboxList", "csv"): "what stands in a list its reader says, line by line",
    ("NewTenant", "networks"): "host bits: a pattern cannot count them",
    ("TenantChange", "networks"): "host bits: a pattern cannot count them",
    ("NewToken", "networks"): "host bits: a pattern cannot count them",
    ("TokenChange", "networks"): "host bits: a pattern cannot count them",
    ("NewNetwork", "network"): "host bits: a pattern cannot count them",
    ("IpChange", "stage"): _OF_PLAN,
    ("IpChange", "ceilings"): _OF_PLAN,
    ("IpMove", "leaves"): _LOOKED_UP,
    ("NewPool", "name"): "a pool of that name is there already",
    ("SimulationAsked", "bounces_at"): _OTHERS,
    ("SimulationAsked", "complaints_at"): _OTHERS,
    ("HoldOrder", "outcome"): _OTHERS,
    ("Forget", "recipient"): "a filter may be left out; who is to be forgotten may not",
    ("NewSuppression", "address"): "what a local part may be, quoted or not, the gateway says",
    ("ClockMove", "set"): "ISO 8601 has more spellings of a time than a pattern should",
    ("ClockMove", "advance"): "there is an end to how far ahead a clock goes",
    ("Question", "from"): "which mailbox an address is, and whether it is one, policy.address says",
}
"""(Body, field) to the reason why the API may refuse for itself what the schema takes."""


BESIDE = {"mailbox": {"by": "mailbox"}}
"""Parameter to what has to be asked with it."""

ASKED_AND_REFUSED = {
    "since": "which days a month has no pattern can say",
    "until": "which days a month has no pattern can say",
    "unused": "which days a month has no pattern can say",
    "from": "which days a month has no pattern can say, nor how far two days lie apart",
    "to": "which days a month has no pattern can say, nor how far two days lie apart",
    "address": "what a local part may be, quoted or not, the gateway says",
    "limit": "statistics.rows is a setting",
    "after": "where a page of statistics ended is a list of its keys",
    "by": "of a mailbox fewer sums are kept",
}
"""Parameter to the reason why it may be refused although the document takes it."""


@pytest.fixture
async def stocked(api: Api) -> Api:
    """With one of each."""
    new = {"name": "acme", "login": "acme-smtp", "password": PASSWORD}
    domain = {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.10", "quota": 3}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    assert (await api("POST", "/api/v2/users", {"name": "anna"}))[0] == 201
    assert (await api("POST", "/api/v2/tokens", {"name": "panel", "scope": "read"}))[0] == 201
    return api


def taking(core: Parts) -> list[Route]:
    """Those with a body."""
    return [route for route in routes(core) if route.body is not None]


MOST = 25
"""Values that the schema takes, asked for one field: each is a change made and undone."""


@pytest.mark.parametrize("name", BODIES)
async def test_the_document_and_the_api_agree_about_each_field(
    stocked: Api, core: Parts, name: str
) -> None:
    judge = Judge(openapi.document(routes(core)))
    route = next(route for route in taking(core) if route.body.__name__ == name)
    path = route.path.format(**PATHS) + ("?dry_run=1" if "dry_run" in route.query else "")
    for asked in sorted(route.needed):
        path += f"&{asked}={NEEDED[asked]}"
    schema = judge.schemas[name]
    assert schema["additionalProperties"] is False
    wrong: list[str] = []
    used: set[tuple[str, str]] = set()
    for field, kind in schema["properties"].items():
        whole = {**BODIES[name], **WITH.get((name, field), {})}
        values = _once(judge.values(kind))
        taken = [value for value in values if judge.takes(kind, value)]
        refused = [value for value in values if not judge.takes(kind, value)]
        assert taken, f"no value of {field} is right"
        for value in taken[:: -(-len(taken) // MOST)]:
            status, answer = await stocked(route.method, path, {**whole, field: value})
            if status >= 500 or (status in (400, 422) and _blames(answer, field)):
                if (name, field) in TAKEN_AND_REFUSED and status < 500:
                    used.add((name, field))
                else:
                    wrong.append(f"taken by the schema: {field}={value!r:.80}: {answer!r:.200}")
        for value in refused:
            asked = {**whole, field: value}
            if _turned_away(asked, route.body):
                continue
            status, answer = await stocked(route.method, path, asked)
            if status not in (400, 422):
                wrong.append(f"refused by the schema: {field}={value!r:.80}: {answer!r:.200}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    wanted = {at for at in TAKEN_AND_REFUSED if at[0] == name}
    assert used == wanted, f"exceptions that are none any more: {wanted - used}"


PLACES = PATHS | {
    "server": "pmta1",
    "message": "1cccc",
    "recipient": "gmail.com",
    "import": "1",
    "request": "1",
    "plan": "1",
    "name": "steady",
    "job": "cleanup",
    "user": "anna",
    "token": "panel",
    "day": "2026-03-01",
}


async def test_a_parameter_that_the_document_refuses_is_refused(stocked: Api, core: Parts) -> None:
    """In a path it is not there, or wrong; in a query it is wrong, or names nothing."""
    document = openapi.document(routes(core))
    judge = Judge(document)
    wrong: list[str] = []
    asked: set[tuple[str, str, str]] = set()
    for route in routes(core):
        if route.method not in ("GET", "PUT"):
            continue
        sent = None if route.body is None else {"spacing": 1}
        for one in document["paths"][route.path][route.method.lower()]["parameters"]:
            name, place, kind = one["name"], one["in"], one["schema"]
            here = (place, name, str(kind))
            if here in asked or kind == {"type": "string"}:
                continue
            asked.add(here)
            texts = [t for t in TEXTS if not judge.takes(kind, as_written(t, kind))]
            assert texts, f"{here} refuses nothing"
            for text in texts:
                if place == "path" and (not text or "/" in text):
                    continue  # another path
                said = urllib.parse.quote(text, safe="")
                path = route.path.format(**{**PLACES, **({name: said} if place == "path" else {})})
                query = f"?{name}={said}" if place == "query" else ""
                query = query if sent is None else "?dry_run=1"
                status, answer = await stocked(route.method, path + query, sent)
                if status not in (400, 404):
                    wrong.append(f"{path}{query}: {status} {answer!r:.100}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    assert {(place, name) for place, name, _ in asked} >= {
        *(("path", name) for name in PLACES.keys() - {"job", "recipient", "subject"}),
        *(
            ("query", name)
            for name in ("tenant", "limit", "state", "recipient", "wait", "part", "since")
        ),
        *(("query", name) for name in ("before", "after", "from", "to", "by", "reason", "since")),
        *(("query", name) for name in ("subject", "who", "action", "ended", "origin")),
        *(("query", name) for name in ("act", "provider")),
    }


def as_written(text: str, kind: dict[str, Any]) -> Any:
    """What the text is where a number is wanted."""
    integers = any(one.get("type") == "integer" for one in (kind, *kind.get("anyOf", ())))
    whole = integers and re.fullmatch("-?(?:0|[1-9][0-9]*)", text)
    return int(text) if whole else text


async def test_a_parameter_that_the_document_takes_is_taken(stocked: Api, core: Parts) -> None:
    """Where a struct has it; what is refused all the same is in the table, with its reason."""
    document = openapi.document(routes(core))
    judge = Judge(document)
    wrong: list[str] = []
    used: set[str] = set()
    for route in routes(core):
        if route.method != "GET" or route.wanted is None:
            continue
        for one in document["paths"][route.path]["get"]["parameters"]:
            name, kind = one["name"], one["schema"]
            if one["in"] != "query":
                continue
            for value in _once([*judge.values(kind), "2026-02-30"]):
                if value == "" or isinstance(value, bool) or not judge.takes(kind, value):
                    continue
                asked = urllib.parse.urlencode({**BESIDE.get(name, {}), name: value})
                path = route.path.format(**PLACES)
                status, answer = await stocked("GET", f"{path}?{asked}")
                if status < 400 or (status == 404 and name in ("tenant", "id", "against")):
                    continue
                if status == 400 and _blames(answer, name) and name in ASKED_AND_REFUSED:
                    used.add(name)
                else:
                    wrong.append(f"{route.path}?{asked:.80}: {status} {answer!r:.200}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    assert used == ASKED_AND_REFUSED.keys()


async def test_each_body_is_asked_about(core: Parts) -> None:
    assert {route.body.__name__ for route in taking(core)} == BODIES.keys()


async def test_a_field_that_is_missing_or_unknown_is_named(stocked: Api, core: Parts) -> None:
    judge = Judge(openapi.document(routes(core)))
    for route in taking(core):
        name, path = route.body.__name__, route.path.format(**PATHS)
        for field in judge.schemas[name].get("required", ()):
            rest = {key: value for key, value in BODIES[name].items() if key != field}
            status, answer = await stocked(route.method, path, rest)
            assert status == 400, (route.path, field)
            assert _blames(answer, field), answer
        status, answer = await stocked(route.method, path, {**BODIES[name], "nonsense": 1})
        assert status == 400
        assert _blames(answer, "nonsense"), answer


def _blames(answer: Any, field: str) -> bool:
    return any(e["field"].partition("[")[0] == field for e in answer.get("errors", ()))


def _turned_away(wanted: dict[str, Any], kind: Any) -> bool:
    """Whether the door refuses it, before anything is looked at."""
    try:
        body.decode(msgspec.json.encode(wanted), kind)
    except RefusedError as error:
        return error.status == 400
    return False


def _once(values: Any) -> list[Any]:
    return [msgspec.json.decode(text) for text in dict.fromkeys(map(msgspec.json.encode, values))]
