"""One look: what is wrong first, with the next command; who changed what; the held message."""

import asyncio
import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.cli.main import run
from control.ledger.carryover import Figure
from control.parts import Parts
from control.version import VERSION
from gateway.hold.keep.content import Contents
from policy.ledger.bulletin import (
    CIRCUITS,
    FIGURES,
    Figures,
    OpenCircuit,
    encode,
    encode_figures,
)
from settings.accounting import Stream
from tests.support.control.core import TOKEN, Api, Command, api_of
from tests.support.control.outcomes import read_all, tell
from tests.support.hold.held import DAY, hold

ACME = {
    "name": "acme",
    "login": "acme-smtp",
    "password": "correct horse",
    "hold_messages": 10,
}
HEAD = b"From: a@acme.example\r\nSubject: gr\xc3\xbc\xc3\x9fe\r\n"
BODY = b"\r\nsecret words\r\n"
KEY = "k1:" + base64.urlsafe_b64encode(b"k" * 32).decode()


async def sign(core: Parts, name: str, figures: Figures, generation: int | None = None) -> None:
    """As a gateway process does about once a second."""
    seconds, _ = await core.admin.client.time()
    runs = await core.admin.number() if generation is None else generation
    await core.admin.client.zadd(f"{core.admin.root}workers", {name: seconds})
    await core.admin.client.hset(f"{core.admin.root}running", name, str(runs))
    await core.admin.client.hset(f"{core.admin.root}{FIGURES}", name, encode_figures(figures))


async def found(api: Api) -> Any:
    status, answer = await api("GET", "/api/v2/status")
    assert status == 200, answer
    return answer


async def test_nothing_is_wrong_and_mail_is_counted_over_all_processes(
    api: Api, core: Parts, command: Command
) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    outcomes = {"relayed": 7, "held": 2, "doubt": 1, "refused": 1, "rejected": 1, "denied": 1}
    await sign(core, "w1", Figures(1, 3, outcomes, {"relayed": 2}))
    await sign(core, "w2", Figures(1, 4, {"relayed": 1}, {}))
    await sign(core, "r1", Figures(1, None, {"released": 5}, {"released": 1}))
    await hold(core.pool, "one")
    status = await found(api)
    assert status["troubles"] == []
    assert status["since_start"] == {
        "came": 14,
        "relayed": 8,
        "held": 3,
        "released": 5,
        "refused": 2,
        "other": 1,
    }
    assert (status["minute"]["relayed"], status["minute"]["released"]) == (2, 1)
    kinds = [(p["name"], p["kind"], p["sessions"], p["late"]) for p in status["processes"]]
    assert kinds == [
        ("r1", "releaser", 0, False),
        ("w1", "worker", 3, False),
        ("w2", "worker", 4, False),
    ]
    (waiting,) = status["hold"]
    assert (waiting["messages"], waiting["most_messages"], waiting["share"]) == (1, 10, 0.1)
    said = await command("status")
    assert said.startswith("all is well at ")
    assert "3 processes, 7 sessions open" in said


async def test_a_stack_that_nobody_used_is_not_wrong_until_mail_went_unwritten(
    api: Api, core: Parts, command: Command, tmp_path: Path
) -> None:
    """PowerMTA begins its accounting with the first message."""
    await sign(core, "w1", Figures(1, 0))
    await sign(core, "r1", Figures(1, None))
    stream = Stream(server="pmta1", path=str(tmp_path / "acct.csv"))
    accounting = msgspec.structs.replace(core.settings.accounting, streams=(stream,))
    settings = msgspec.structs.replace(core.settings, accounting=accounting)
    await core.pool.execute(
        "INSERT INTO accounting_stream (server, path, problem, since) VALUES ($1, $2, $3, 0)",
        *(stream.server, stream.path, "there is no acct.csv yet"),
    )
    async with api_of(replace(core, settings=settings)) as opened:
        new = Command(opened, command.capsys)
        said = await new("status")
        assert "all is well at " in said
        assert "accounting of pmta1: none was read yet" in said
        await tell(core, {"outcome": "relayed"})
        await read_all(core)
        assert "all is well at " in await new("status"), "it may be written any moment"
        await core.pool.execute("UPDATE outcome SET at = at - 901000")
        await new("status", code=1)
        [trouble] = (await found(opened))["troubles"]
        assert trouble["what"] == "accounting of pmta1: there is no acct.csv yet"
        await core.pool.execute("DELETE FROM outcome")
        tmp_path.rename(tmp_path.with_name("elsewhere"))
        await new("status", code=1)


async def test_what_is_wrong_comes_first_with_its_next_command_and_exit_1(
    api: Api, core: Parts, command: Command
) -> None:
    async def wrong() -> dict[str, str]:
        return {t["next"]: t["what"] for t in (await found(api))["troubles"]}

    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    assert "no gateway worker is heard of" in (await wrong())["systemctl status sendgate-gateway"]
    await sign(core, "w1", Figures(1, 0), generation=0)
    assert "w1" in (await wrong())["journalctl -u sendgate-gateway"]
    await sign(core, "w1", Figures(1, 0))
    await sign(core, "r1", Figures(1, None))
    assert await wrong() == {}
    circuit = OpenCircuit("server", "pmta1", "open", "421 busy", 5.0)
    await core.admin.client.hset(f"{core.admin.root}{CIRCUITS}", "w1", encode([circuit]))
    assert "server pmta1 is open in 1 of 2" in (await wrong())["sendgate server circuits"]
    now, _ = await core.admin.now()
    await hold(core.pool, "fresh", state="doubt", since=now)
    assert "sendgate hold list --state doubt --messages" not in await wrong()
    await hold(core.pool, "stuck", state="doubt", since=now - 1_000_000)
    assert "1 message is in doubt" in (await wrong())["sendgate hold list --state doubt --messages"]
    for number in range(6):
        await hold(core.pool, f"m{number}")
    assert "acme is 80% full" in (await wrong())["sendgate hold forecast --tenant acme"]
    await core.pool.execute(
        "INSERT INTO accounting_stream (server, path, read_at, gap_at, since) "
        "VALUES ('pmta1', '/acct.csv', $1, 0, 0)",
        now - 1_000_000,
    )
    assert "accounting of pmta1" in (await wrong())["sendgate accounting status"]
    await core.admin.client.flushall()
    assert "nothing is sent" in (await wrong())["sendgate ledger status"]
    assert await asyncio.to_thread(run, ["--url", api.url, "status"]) == 1
    lines = command.capsys.readouterr().out.splitlines()
    assert lines[0].startswith("WRONG: ledger main is lost")
    assert lines[1] == "       next: sendgate ledger status"


async def test_the_audit_log_is_listed_by_subject_person_action_and_time_in_pages(
    api: Api, command: Command
) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    domain = {"tenant": "acme", "domain": "one.example", "ip": "192.0.2.10", "quota": 5}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    for quota in (6, 7):
        change = {"quota": quota, "reason": "grown <up>"}
        assert (await api("PATCH", "/api/v2/ips/192.0.2.10", change))[0] == 200

    async def listed(query: str) -> Any:
        status, page = await api("GET", f"/api/v2/audit?{query}")
        assert status == 200, page
        return page

    (newest, older) = (await listed("subject=192.0.2.10"))["entries"]
    assert (newest["action"], newest["who"], newest["reason"]) == ("ip.set", "test", "grown <up>")
    assert (newest["before"], newest["after"]) == ({"quota": "6"}, {"quota": "7"})
    assert newest["at"].endswith("Z")
    page = await listed("action=ip&limit=1")
    assert [e["id"] for e in page["entries"]] == [newest["id"]] == [page["before"]]
    page = await listed(f"action=ip.set&limit=1&before={page['before']}")
    assert ([e["id"] for e in page["entries"]], page["before"]) == ([older["id"]], None)
    assert (await listed("action=ip.s"))["entries"] == []
    assert (await listed("who=somebody"))["entries"] == []
    assert (await listed("since=2999-01-01"))["entries"] == []
    assert len((await listed("who=test&since=2020-01-01T00:00:00Z"))["entries"]) >= 4
    for query in ("since=yesterday", "who=", "limit=x"):
        assert (await api("GET", f"/api/v2/audit?{query}"))[0] == 400
    said = await command("audit", "list", "--subject", "192.0.2.10")
    assert "quota 6 → 7" in said
    assert "grown <up>" in said


async def kept(core: Parts, name: str, *keys: str) -> None:
    codec, data = Contents(keys).pack(name, HEAD, BODY)
    await core.pool.execute(
        "INSERT INTO held_body (bucket, id, sender, flags, ret, codec, content) "
        "VALUES ($1, $2, 'bounce@acme.example', 0, '', $3, $4)",
        *(DAY, name, codec, data),
    )


async def test_a_held_message_is_read_as_the_gateway_kept_it_and_each_look_is_audited(
    core: Parts, command: Command, tmp_path: Path
) -> None:
    await hold(core.pool, "one")
    await kept(core, "one")
    assert "secret words" not in await command("hold", "show", "one")
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log WHERE action='hold.read'") == 0
    said = await command("hold", "show", "one", "--headers", "--reason", "asked by its sender")
    assert "Subject: grüße" in said
    assert "secret" not in said
    assert f"({len(HEAD + BODY)} octets in all" in said
    file = tmp_path / "one.eml"
    await command("hold", "show", "one", "--content", str(file))
    assert file.read_bytes() == HEAD + BODY
    assert file.stat().st_mode & 0o777 == 0o600
    rows = await core.pool.fetch(
        "SELECT who, subject, after, reason FROM audit_log WHERE action = 'hold.read' ORDER BY id"
    )
    assert [(r["who"], r["subject"], r["after"]["part"], r["reason"]) for r in rows] == [
        ("test", "one", "headers", "asked by its sender"),
        ("test", "one", "whole", ""),
    ]
    await command("hold", "show", "two", "--headers", code=1)
    await command("hold", "show", "one", "--headers", "--content", "-", code=2)


async def test_looks_at_the_same_moment_are_each_written_down(core: Parts, api: Api) -> None:
    await hold(core.pool, "one")
    await kept(core, "one")
    path = "/api/v2/hold/messages/one/content"
    found = await asyncio.gather(*(api("GET", path) for _ in range(5)))
    assert {status for status, _ in found} == {200}
    rows = await core.pool.fetch("SELECT who FROM audit_log WHERE action = 'hold.read'")
    assert [row["who"] for row in rows] == ["test"] * 5


async def test_a_sealed_message_needs_its_key(core: Parts, command: Command) -> None:
    await hold(core.pool, "one")
    await kept(core, "one", KEY)
    assert "sealed by key k1, which hold.keys of control lacks" in (
        await command("hold", "show", "one", "--headers", code=1)
    )


async def test_the_version_is_said(command: Command) -> None:
    assert await command("--version") == f"sendgate {VERSION}\n"
    assert "SENDGATE_TOKEN" in await command("--help")


async def test_what_follows_from_accounting_is_told(
    core: Parts,
    api: Api,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    assert (await found(api))["suppressions"] == 0
    new = {"address": "anna@gmail.com"}
    assert (await api("POST", "/api/v2/suppressions", new))[0] == 200
    core.carry_over.figures = [Figure("pmta1", 12, late=True), Figure("pmta2", 3, late=False)]
    today = await core.calendar() // 86_400_000
    # Receipts alone, since before yesterday; what came earlier does not count any more.
    for day, records in ((today - 2, 600), (today, 400)):
        await core.pool.execute(
            "INSERT INTO accounting_kind VALUES ($1, 'pmta1', 'r', $2, 0)", day, records
        )
    await core.pool.execute(
        "INSERT INTO accounting_kind VALUES ($1, 'pmta1', 'd', 7, 0)", today - 3
    )
    answer = await found(api)
    assert (answer["carried_over"], answer["suppressions"]) == (15, 1)
    told = [one["what"] for one in answer["troubles"]]
    assert any("accounting of pmta1 tells of no deliveries" in one for one in told), told
    assert any("records of pmta1 stopped: the 12 recipients" in one for one in told), told
    assert await asyncio.to_thread(run, ["--url", api.url, "status"]) == 1
    shown = capsys.readouterr().out
    assert "carried over: 15 recipients" in shown
    assert "suppressions: 1" in shown
