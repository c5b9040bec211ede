"""A tenant's terms of the hold: by API and by command, to the generation and back."""

import pytest

from control.parts import Parts
from policy.model import Duplicates, HoldBounds, Tenant
from settings.hold import Hold
from tests.support.control.core import (
    TOKEN,
    Api,
    Command,
)

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
PATTERN = r"(?P<campaign>[a-z]{6}):(?P<subscriber>[a-z]{6})"


async def tenant(core: Parts) -> Tenant:
    """As gateways have it."""
    generation = await core.admin.current()
    assert generation is not None
    return generation.tenants[0]


async def test_terms_reach_the_plan_and_null_takes_the_default(api: Api, core: Parts) -> None:
    terms = {"hold_messages": 10, "hold_age": 3600, "duplicates": "off", "dsn": True}
    status, added = await api("POST", "/api/v2/tenants", {**ACME, **terms})
    assert status == 201, added
    assert {name: added["view"][name] for name in terms} == terms
    settings = Hold()
    found = await tenant(core)
    assert found.hold == HoldBounds(messages=10, octets=settings.bytes, age=3600, past="defer")
    assert (found.duplicates.mode, found.dsn) == ("off", True)
    more = {
        "hold_bytes": 0,
        "hold_past": "accept",
        "duplicates": "message-id",
        "feedback_id": PATTERN,
        "list_unsubscribe": PATTERN,
    }
    status, changed = await api("PATCH", "/api/v2/tenants/acme", more)
    assert status == 200, changed
    found = await tenant(core)
    assert found.hold == HoldBounds(messages=10, octets=0, age=3600, past="accept")
    assert found.duplicates == Duplicates(
        mode="message-id", feedback_id=PATTERN, list_unsubscribe=PATTERN
    )
    back = dict.fromkeys((*terms, *more)) | {"dsn": False}
    await api("PATCH", "/api/v2/tenants/acme", back)
    found = await tenant(core)
    assert (found.hold, found.duplicates, found.dsn) == (HoldBounds(), Duplicates(), False)
    _, again = await api("PATCH", "/api/v2/tenants/acme", back)
    assert again["changed"] is False


async def test_reports_are_by_profile_until_an_operator_decides(api: Api, core: Parts) -> None:
    status, added = await api("POST", "/api/v2/tenants", ACME)
    assert (status, added["view"]["dsn"]) == (201, None)
    path = "/api/v2/tenants/acme"
    for change, wanted in (
        ({}, False), ({"profile": "mta"}, True), ({"dsn": False}, False), ({"dsn": None}, True),
        ({"dsn": True}, True), ({"profile": "mailwizz"}, True), ({"dsn": None}, False),
    ):  # fmt: skip
        status, changed = await api("PATCH", path, change)
        assert status == 200, changed
        assert (await tenant(core)).dsn is wanted, change


async def test_what_an_unreadable_from_counts_for_is_a_term(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    assert (await tenant(core)).unreadable_from == "refuse"
    command = Command(api, capsys)
    await command("tenant", "set", "acme", "--unreadable-from", "shared")
    assert (await tenant(core)).unreadable_from == "shared"
    assert "shared" in await command("tenant", "show", "acme")
    await command("tenant", "set", "acme", "--unreadable-from", "guess", code=2)
    status, problem = await api("PATCH", "/api/v2/tenants/acme", {"unreadable_from": "guess"})
    assert status == 400, problem


async def test_terms_nobody_can_use_are_refused_by_field(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    number = await core.admin.number()
    for field, wrong in (
        ("feedback_id", "("),
        ("feedback_id", "x"),
        ("feedback_id", "(?P<campaign>[a-z]{6})"),
        ("feedback_id", ""),
        ("list_unsubscribe", "(?P<subscriber>[a-z]{6})"),
        ("hold_messages", -1),
        ("hold_bytes", -1),
        ("hold_bytes", 1 << 63),
        ("hold_age", 0),
        ("hold_age", 1e300),
        ("hold_past", "drop"),
        ("duplicates", "all"),
        ("dsn", "yes"),
        ("paused_campaigns", ["x"]),
    ):
        for method, path, body in (
            ("PATCH", "/api/v2/tenants/acme", {field: wrong}),
            ("POST", "/api/v2/tenants", {**ACME, "name": "b", "login": "b", field: wrong}),
        ):
            status, problem = await api(method, path, body)
            assert (status, [e["field"] for e in problem["errors"]]) == (400, [field]), body
    assert await core.admin.number() == number


async def test_a_mailbox_has_a_daily_minimum(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    path = "/api/v2/tenants/acme/mailboxes/news@acme.example"
    status, changed = await api("PUT", path, {"daily_max": 10, "daily_min": 5})
    assert status == 200, changed
    assert (await tenant(core)).mailboxes["news@acme.example"].daily_min == 5
    status, problem = await api("PUT", path, {"daily_max": 4})
    assert (status, problem["errors"][0]["field"]) == (400, "daily_min")
    await api("PUT", path, {"daily_min": None})
    assert (await tenant(core)).mailboxes["news@acme.example"].daily_min is None


async def test_the_command_gives_terms_and_takes_them_back(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    await command(
        *("tenant", "add", "acme", "--login", "l", "--password", "correct horse"),
        *("--hold-age", "30d12h", "--hold-messages", "7", "--duplicates", "content", "--dsn"),
    )
    found = await tenant(core)
    assert (found.hold.age, found.hold.messages) == (30.5 * 86_400, 7)
    assert (found.duplicates.mode, found.dsn) == ("content", True)
    shown = await command("tenant", "show", "acme")
    assert "content" in shown
    assert "default" in shown
    await command("tenant", "set", "acme", "--feedback-id", PATTERN, "--hold-past", "accept")
    assert (await tenant(core)).duplicates.feedback_id == PATTERN
    await command(
        *("tenant", "set", "acme", "--hold-age", "default", "--hold-messages", "default"),
        *("--duplicates", "default", "--feedback-id", "default", "--hold-past", "default"),
        "--no-dsn",
    )
    found = await tenant(core)
    assert (found.hold, found.duplicates, found.dsn) == (HoldBounds(), Duplicates(), False)
    for wrong in (
        ("--hold-age", "30"),
        ("--hold-messages", "none"),
        ("--hold-past", "drop"),
        ("--duplicates", "all"),
    ):
        assert wrong[0] in await command("tenant", "set", "acme", *wrong, code=2)
    refused = await command("tenant", "set", "acme", "--feedback-id", "(", code=2)
    assert refused.startswith("sendgate: --feedback-id: ")
    mailbox = ("mailbox", "set", "a@acme.example", "--tenant", "acme")
    await command(*mailbox, "--daily-min", "5")
    assert "5" in await command("mailbox", "list", "--tenant", "acme")
    await command(*mailbox, "--daily-min", "default")
    assert (await tenant(core)).mailboxes["a@acme.example"].daily_min is None
