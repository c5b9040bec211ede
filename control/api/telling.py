"""What the document says of every operation besides its form: a name, a tag, what it needs, each
status it may answer, and examples.

Rule: all of it follows from what is decided elsewhere (the routes, the table of permissions, the
schemas), so that a new route is described by being there. A status that is not listed is never
answered: schemathesis holds the API to that, as every role.
"""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

from control.api.example import Examples, NoExampleError
from control.api.needs import Need
from control.api.problemschema import REQUEST_ID

Operation = dict[str, Any]

TAGS = {
    "tenants": "Customers with their terms, logins, networks and mailboxes.",
    "domains": "Domains that `From:` may have, their DNS records and DKIM keys.",
    "ips": "IPs with their VirtualMTA, quota and server.",
    "pools": "Pools: which IPs take a tenant's mail.",
    "quota": "What each IP has sent today, and may.",
    "traffic": "What goes through each IP now.",
    "warmup": "How IPs warm up: plans, decisions, acts by hand, what would be.",
    "hold": "Mail that waits: what, until when, and orders over it.",
    "messages": "What became of each message.",
    "explain": "What would happen to a message, or why one waits.",
    "suppressions": "Addresses that get no mail any more.",
    "statistics": "Sums of mail by day, IP, tenant, campaign, provider and mailbox.",
    "accounting": "PowerMTA's accounting: how far it is read, what was set aside, history.",
    "providers": "Which provider's servers take a domain's mail.",
    "servers": "PowerMTA servers.",
    "circuits": "PowerMTA servers that gateways leave alone for now.",
    "powermta": "PowerMTA's configuration: versions, differences, bringing one into force.",
    "webhooks": "Where PowerMTA's accounting is posted.",
    "blocklists": "Lists that name sources of spam, and which of ours they name.",
    "status": "What is wrong now.",
    "alerts": "What somebody should look at.",
    "audit": "Who changed what.",
    "plans": "Published plans (generations).",
    "generation": "The generation that gateways run.",
    "ledger": "The counters' server.",
    "clock": "The calendar.",
    "days": "Days that are over, compared with PowerMTA's accounting.",
    "jobs": "What is done by the calendar.",
    "auth": "Signing in, passwords and codes.",
    "users": "People.",
    "tokens": "Tokens of programs.",
    "problems": "What the API refuses, and what to do then.",
    "process": "For who watches the process.",
    "docs": "This page.",
    "openapi": "The document that this page is made from.",
}
"""Nouns of paths, and what they are."""

_AT = re.compile(r"/api(?:/v[0-9]+)?/([a-z]+)")

PLACES = {
    "tenant": "the tenant: its name or number",
    "pool": "the pool: its name or number",
    "server": "the PowerMTA server: its name or number",
    "ip": "the IP: its address, VirtualMTA or number",
    "domain": "the domain: its name or number",
    "address": "the mailbox: its address or number",
    "message": "the message's id",
    "request": "the number of the order",
    "plan": "the number of the generation",
    "name": "its name",
    "user": "the person's name",
    "token": "the token's name",
    "day": "a day, as 2026-03-01",
    "job": "the job's name",
    "alert": "the number of the alert",
    "import": "the number of the import",
    "recipient": "a domain that mail is sent to",
}
"""Parts of paths."""


def tag(path: str) -> str:
    """The noun of a path."""
    found = _AT.match(path)
    return found[1] if found else "process"


def complete(document: dict[str, Any], needs: list[Need]) -> None:
    """Says the rest of each operation of `document`, in place."""
    examples = Examples(document["components"]["schemas"])
    by = {(one.method, one.path): one for one in needs}
    tags: set[str] = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            need = by[method.upper(), path]
            operation["operationId"] = _name(method, path)
            operation["tags"] = [tag(path)]
            operation["description"] = _described(operation, need)
            operation["x-sendgate-roles"] = need.roles
            operation["x-sendgate-tenants"] = need.tenants
            _answers(operation)
            _exemplify(operation, examples)
            tags.add(tag(path))
    document["tags"] = [{"name": name, "description": TAGS.get(name, "")} for name in sorted(tags)]


def _name(method: str, path: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", path.removeprefix("/api/"))
    return "_".join([method, *words])


def _described(operation: Operation, need: Need) -> str:
    said = [f"{operation['summary'].rstrip('.')}.", need.sentence]
    names = {one["name"] for one in operation["parameters"]}
    if "dry_run" in names:
        said.append("With `dry_run=1` it says what it would do, and changes nothing.")
    if "force" in names:
        said.append("What is only risky is refused without `force=1`, and the refusal says why.")
    if "Idempotency-Key" in names:
        said.append("The same request under the same `Idempotency-Key` is done once.")
    return " ".join(said)


def _answers(operation: Operation) -> None:
    for answer in operation["responses"].values():
        if "$ref" not in answer:
            answer.setdefault("headers", {})["X-Request-Id"] = REQUEST_ID


@cache
def _bodies() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("bodies.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)["bodies"]
    return found


def _exemplify(operation: Operation, examples: Examples) -> None:
    for one in operation["parameters"]:
        one.setdefault("description", PLACES.get(one["name"], one["name"]))
        _put(one, examples, one["name"])
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        kind = content["schema"].get("$ref", "").rpartition("/")[2]
        if kind in _bodies():
            content["example"] = _bodies()[kind]
        elif media == "application/json":
            _put(content, examples, "", whole=False)
    for answer in operation["responses"].values():
        for media, content in answer.get("content", {}).items():
            if media == "application/json":
                _put(content, examples, "")


def _put(where: dict[str, Any], examples: Examples, name: str, *, whole: bool = True) -> None:
    try:
        where.setdefault("example", examples.of(where["schema"], name, whole=whole))
    except NoExampleError:
        return
