"""Alerts: one message at the begin, one at the end, repeats that grow; each delivered at last."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from control.alerts.alert import HOUR, Raised, event, settle
from control.alerts.channels import channels_of
from control.alerts.desk import Alerts
from control.alerts.sender import Delivered, Sender
from control.duty import watch_of
from control.parts import Parts
from policy.isotime import instant
from settings.alerts import Alerts as Settings
from tests.support.control.core import TOKEN, Api, Command
from tests.support.control.letters import mail_server
from tests.support.control.telegram import CHAT, Telegram, telegram
from tests.support.control.telegram import TOKEN as BOT
from tests.support.hold.held import hold

START = 20_000 * 24 * HOUR
MINUTE = HOUR // 60


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    async with telegram() as opened:
        yield opened


def by_telegram(core: Parts, double: Telegram, **more: Any) -> Sender:
    settings = Settings(
        telegram_token=BOT, telegram_chat=CHAT, telegram_url=double.url, timeout=0.5, **more
    )
    return Sender(core.pool, channels_of(settings), settings.least)


def raised(key: str = "bypass", severity: Any = "warning", what: str = "it is so") -> Raised:
    return Raised(key=key, severity=severity, what=what, next="sendgate status")


async def found(core: Parts, now: int, *what: Raised, over_after: int = 0) -> list[tuple[str, str]]:
    """One look; the messages that followed from it."""
    last = await core.pool.fetchval("SELECT coalesce(max(id), 0) FROM alert_message")
    async with core.pool.acquire() as connection, connection.transaction():
        await settle(connection, now, "watch", what, over_after=over_after)
    rows = await core.pool.fetch(
        "SELECT kind, a.key FROM alert_message m JOIN alert a ON a.id = m.alert "
        "WHERE m.id > $1 ORDER BY m.id",
        last,
    )
    return [(row["kind"], row["key"]) for row in rows]


async def due_again(core: Parts) -> None:
    await core.pool.execute("UPDATE alert_delivery SET again = clock_timestamp()")


async def go(sender: Sender) -> int:
    """New messages are shared, and what is due is sent."""
    await sender.share()
    return sum([await sender.deliver(channel) for channel in sender._channels.values()])


async def test_one_message_at_the_begin_one_at_the_end_and_repeats_that_grow(core: Parts) -> None:
    told = {}
    for minute in range(0, 60 * 24 * 4, 10):
        if messages := await found(core, START + minute * 60_000, raised()):
            told[minute / 60] = messages
    assert list(told) == [0, 1, 5, 17, 41, 65, 89]
    assert told[0] == [("begin", "bypass")]
    assert told[89] == [("again", "bypass")]
    over = START + 96 * HOUR
    assert await found(core, over) == [("end", "bypass")]
    assert await found(core, over + HOUR) == []
    assert await found(core, over + 2 * HOUR, raised()) == [("begin", "bypass")]
    rows = await core.pool.fetch("SELECT count, recovered FROM alert ORDER BY id")
    assert [(row["count"], row["recovered"]) for row in rows] == [(576, over), (1, None)]


async def test_one_that_gets_graver_is_told_anew_and_one_that_gets_better_is_not(
    core: Parts,
) -> None:
    assert await found(core, START, raised()) == [("begin", "bypass")]
    assert await found(core, START + 1, raised(severity="critical")) == [("again", "bypass")]
    assert await found(core, START + 2, raised(severity="warning")) == []


async def test_acknowledged_it_is_told_of_no_more_but_its_end(core: Parts, api: Api) -> None:
    now = await core.calendar()
    await found(core, now, raised())
    (number,) = [row["id"] for row in await core.pool.fetch("SELECT id FROM alert")]
    status, answer = await api("POST", f"/api/v2/alerts/{number}/ack?reason=known")
    assert (status, answer["acknowledged_by"]) == (200, "test")
    assert await found(core, now + 30 * HOUR, raised()) == []
    assert await found(core, now + 31 * HOUR) == [("end", "bypass")]
    status, answer = await api("POST", f"/api/v2/alerts/{number}/ack")
    assert status == 409
    assert (await api("POST", "/api/v2/alerts/999/ack"))[0] == 404
    audited = await core.pool.fetchval("SELECT reason FROM audit_log WHERE action = 'alert.ack'")
    assert audited == "known"


async def test_muted_nothing_is_told_and_afterwards_what_is_still_so(core: Parts, api: Api) -> None:
    now = await core.calendar()
    body = {"key": "bypass", "seconds": 7200, "reason": "maintenance"}
    assert (await api("POST", "/api/v2/alerts/mute", body))[0] == 200
    assert await found(core, now, raised(), raised("other")) == [("begin", "other")]
    assert await found(core, now + HOUR, raised()) == [("end", "other")]
    assert await found(core, now + 3 * HOUR, raised()) == [("begin", "bypass")]
    body["seconds"] = 0
    assert (await api("POST", "/api/v2/alerts/mute", body))[0] == 200
    # Of one that was never told the end is no news.
    assert await found(core, now + 4 * HOUR) == [("end", "bypass")]


async def test_what_comes_and_goes_is_one_alert_told_as_one_that_stays(
    core: Parts, api: Api
) -> None:
    quarter = 15 * MINUTE

    async def look(minute: int, *what: Raised) -> list[tuple[str, str]]:
        return await found(core, START + minute * MINUTE, *what, over_after=quarter)

    told = {}
    for minute in range(0, 24 * 60, 5):
        # Five minutes there, ten minutes gone, for a day.
        if messages := await look(minute, *([raised()] if minute % 15 == 0 else [])):
            told[minute / 60] = messages
    assert told == {
        0: [("begin", "bypass")],
        1: [("again", "bypass")],
        5: [("again", "bypass")],
        17: [("again", "bypass")],
    }
    status, answer = await api("GET", "/api/v2/alerts")
    assert status == 200
    (alert,) = msgspec.convert(answer, Alerts).alerts
    assert (alert.count, alert.returned, alert.told, alert.recovered) == (96, 95, 4, None)
    gone = START + (24 * 60 - 10) * MINUTE
    assert alert.absent == instant(gone)
    # Its end waits for as long, and tells when it was.
    assert await look(24 * 60) == []
    assert await look(24 * 60 + 5) == [("end", "bypass")]
    at, recovered = await core.pool.fetchrow(
        "SELECT m.at, a.recovered FROM alert_message m JOIN alert a ON a.id = m.alert "
        "WHERE kind = 'end'"
    )
    assert (at, recovered) == (gone, gone)
    assert await look(24 * 60 + 10, raised()) == [("begin", "bypass")], "that is another one"


async def test_what_comes_back_after_a_long_pause_of_looks_is_another_alert(core: Parts) -> None:
    for minute, what, messages in (
        (0, [raised()], [("begin", "bypass")]),
        (5, [], []),
        (65, [raised()], [("end", "bypass"), ("begin", "bypass")]),
    ):
        now = START + minute * MINUTE
        assert await found(core, now, *what, over_after=15 * MINUTE) == messages


async def test_gravity_to_and_fro_is_told_once_until_it_was_milder_for_a_while(
    core: Parts,
) -> None:
    told = {}
    for minute in range(0, 60, 5):
        # Critical at 5, 15, 25, then a warning, and critical at 55.
        grave = minute in (5, 15, 25, 55)
        one = raised(severity="critical" if grave else "warning")
        if messages := await found(core, START + minute * MINUTE, one, over_after=15 * MINUTE):
            told[minute] = messages
    assert told == {0: [("begin", "bypass")], 5: [("again", "bypass")], 55: [("again", "bypass")]}


async def test_gone_it_may_be_acknowledged_and_comes_back_so(core: Parts, api: Api) -> None:
    now, quarter = await core.calendar(), 15 * MINUTE
    await found(core, now, raised(), over_after=quarter)
    assert await found(core, now + MINUTE, over_after=quarter) == []
    number = await core.pool.fetchval("SELECT id FROM alert")
    status, answer = await api("POST", f"/api/v2/alerts/{number}/ack")
    assert (status, answer["absent"]) == (200, instant(now + MINUTE))
    for hours in range(30):
        at = now + hours * HOUR + 2 * MINUTE
        assert await found(core, at, raised(), over_after=2 * HOUR) == []
    assert await found(core, now + 30 * HOUR, over_after=quarter) == []
    assert await found(core, now + 31 * HOUR, over_after=quarter) == [("end", "bypass")]


async def test_what_happened_once_is_told_once(core: Parts) -> None:
    async with core.pool.acquire() as connection:
        for _ in range(3):
            async with connection.transaction():
                await event(connection, START, raised("ip-active:192.0.2.1", "info"))
    kinds = await core.pool.fetch("SELECT kind FROM alert_message ORDER BY id")
    assert [row["kind"] for row in kinds] == ["begin"]


async def test_telegram_gets_it_in_order_and_its_wait_is_kept(
    core: Parts, double: Telegram
) -> None:
    sender = by_telegram(core, double)
    await found(core, START, raised("a"), raised("b"), raised("c"))
    double.limit(1.2)
    assert await go(sender) == 0
    asked, waited = double.asked, asyncio.get_running_loop().time()
    assert (asked, double.early) == (1, 1), "told to wait it asks for no other message"
    while len(double.texts) < 3:
        await go(sender)
        await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() < waited + 20
    assert double.early == 1, "it came back before the wait was over"
    assert [text.splitlines()[0] for text in double.texts] == ["WARNING: it is so"] * 3
    rows = await core.pool.fetch("SELECT state, attempts FROM alert_delivery")
    assert {(row["state"], row["attempts"]) for row in rows} == {("sent", 1)}
    assert await go(sender) == 0


@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, "oops"), (502, "<html>"), (200, "{}"), (200, '{"ok": false}'), (200, None)],
)
async def test_a_failure_is_tried_again_with_a_wait_that_grows(
    core: Parts, double: Telegram, status: int, answer: Any
) -> None:
    sender = by_telegram(core, double)
    await found(core, START, raised())
    double.fails = [(status, answer)] * 2
    assert await go(sender) == 0
    assert await go(sender) == 0, "its wait is not over"
    error = await core.pool.fetchval("SELECT error FROM alert_delivery")
    assert "Telegram" in error
    assert BOT not in error
    await due_again(core)
    assert await go(sender) == 0
    wait = await core.pool.fetchval(
        "SELECT extract(epoch FROM again - clock_timestamp()) FROM alert_delivery"
    )
    assert 8 < wait <= 10
    await due_again(core)
    assert await go(sender) == 1
    assert len(double.texts) == 1


async def test_what_never_goes_is_dead_and_seen(core: Parts, double: Telegram, api: Api) -> None:
    settings = Settings(telegram_token="1:no", telegram_chat=CHAT, telegram_url=double.url)
    sender = Sender(core.pool, channels_of(settings), "info")
    await found(core, START, raised())
    for _ in range(42):
        await go(sender)
        await due_again(core)
    assert double.asked == 40
    status, answer = await api("GET", "/api/v2/alerts")
    assert status == 200
    (alert,) = msgspec.convert(answer, Alerts).alerts
    assert alert.trouble == "telegram: Telegram: 401 Unauthorized"
    assert alert.waiting == 0


async def test_two_nodes_send_each_once_and_a_killed_ones_is_sent_by_the_other(
    core: Parts, double: Telegram
) -> None:
    nodes = [by_telegram(core, double) for _ in range(3)]
    several = [raised(f"k{n}") for n in range(9)]
    await found(core, START, *several)
    await asyncio.gather(*(go(node) for node in nodes))
    while await go(nodes[0]):
        pass
    assert len(double.texts) == 9
    await found(core, START + 1, *several, raised("late"))
    await nodes[0].share()
    (channel,) = nodes[0]._channels.values()
    double.fails = [(200, None)]
    frozen = asyncio.create_task(nodes[0].deliver(channel))
    while double.fails:
        await asyncio.sleep(0.01)
    frozen.cancel()
    assert await go(nodes[1]) == 0, "it is the first one's for a while"
    await due_again(core)
    assert await go(nodes[1]) == 1
    assert len(double.texts) == 10


async def test_only_what_is_grave_enough_goes_out(core: Parts, double: Telegram) -> None:
    sender = by_telegram(core, double, least="critical")
    await found(core, START, raised("a"), raised("b", "critical"))
    assert await go(sender) == 1
    assert double.texts[0].startswith("CRITICAL")


async def test_a_webhook_is_signed(core: Parts) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=503 if len(got) == 1 else 204)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}/hook"
    settings = Settings(webhook_url=url, webhook_key="k" * 32)
    sender = Sender(core.pool, channels_of(settings), "info")
    try:
        await found(core, START, raised())
        assert await go(sender) == 0
        await due_again(core)
        assert await go(sender) == 1
    finally:
        await runner.cleanup()
    headers, body = got[-1]
    signed = f"{headers['X-Sendgate-Timestamp']}.".encode() + body
    wanted = hmac.new(b"k" * 32, signed, hashlib.sha256).hexdigest()
    assert headers["X-Sendgate-Signature"] == f"sha256={wanted}"
    said = msgspec.json.decode(body)
    assert (said["key"], said["kind"], said["severity"]) == ("bypass", "begin", "warning")
    assert msgspec.json.decode(got[0][1])["id"] == said["id"], "who got both knows them as one"


async def test_a_mail_goes_by_a_server_of_its_own(core: Parts) -> None:
    server, port, letters = await mail_server()
    settings = Settings(
        mail_server=f"127.0.0.1:{port}",
        mail_tls="none",
        mail_from="sendgate@example.com",
        mail_to=("ops@example.com", "oncall@example.com"),
    )
    sender = Sender(core.pool, channels_of(settings), "info")
    try:
        await found(core, START, raised(what="IP 192.0.2.1 is paused: 7,5 % bounces — naïve"))
        assert await go(sender) == 1
    finally:
        server.close()
    (letter,) = letters
    assert letter.rcpt_tos == ["ops@example.com", "oncall@example.com"]
    assert b"Subject: Sendgate warning: bypass" in letter.content
    assert b"Auto-Submitted: auto-generated" in letter.content


async def test_nobody_waits_for_a_channel_that_hangs(core: Parts, double: Telegram) -> None:
    """What is wrong is found and written all the same."""
    sender = by_telegram(core, double)
    await found(core, START, raised())
    double.fails = [(200, None)]
    await sender.share()
    (channel,) = sender._channels.values()
    hanging = asyncio.create_task(sender.deliver(channel))
    assert await found(core, START + 1, raised(), raised("b")) == [("begin", "b")]
    assert not hanging.done()
    await hanging


async def test_one_look_finds_what_is_wrong_and_what_is_over(core: Parts, api: Api) -> None:
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.test", "ip": "192.0.2.10", "quota": 0}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    await hold(core.pool, "1cccc", tenant="acme", pool="acme", mailbox="a@acme.test")
    day = await core.calendar() // (24 * HOUR)
    await core.pool.execute(
        "INSERT INTO job_run VALUES ('night', 1, '', 'dead', 12, 'a', 1, 1, 1, 'E', now())"
    )
    await core.pool.execute("INSERT INTO consolidation VALUES ($1, 1, 1, 90, 90, 80, 10)", day - 1)
    decided = (
        "INSERT INTO warmup_decision (at, day, tenant, vmta, ip, pool, provider, act, rule, "
        "sentence, severity, state_before, state_after, counted, watched, thresholds, who, reason, "
        "since) VALUES (1, $1, 'acme', 'v', '192.0.2.10', '', '', $2, 'r', $3, $4, '', '', '{}', "
        "'{}', '{}', 'warmup', '', 0)"
    )
    await core.pool.execute(decided, day, "finish", "192.0.2.10 is ACTIVE", "info")
    await core.pool.execute(decided, day, "pause", "7 % bounces", "critical")
    watch = watch_of(core)
    for _ in range(2):
        assert await watch.step()
    status, answer = await api("GET", "/api/v2/alerts?ended=1")
    assert status == 200
    shown = {one.key: one for one in msgspec.convert(answer, Alerts).alerts}
    assert shown["gateway"].severity == "critical"
    assert shown["job:night"].severity == "critical"
    assert shown["pool:acme"].what.endswith("1 message waits until 00:00 UTC")
    assert "10 differ" in shown[f"day:{day - 1}"].what
    assert shown["warmup:192.0.2.10"].what == "7 % bounces"
    (active,) = (one for key, one in shown.items() if key.startswith("warmup:finish"))
    assert (active.severity, active.told, active.count) == ("info", 1, 1)
    await core.pool.execute(decided, day, "resume", "resumed by anna", "")
    await core.pool.execute("DELETE FROM job_run; DELETE FROM consolidation")
    assert await watch.step()
    rows = await core.pool.fetch(
        "SELECT key FROM alert WHERE recovered IS NULL AND absent IS NULL ORDER BY key"
    )
    left = {row["key"] for row in rows}
    assert {"gateway", "pool:acme"} <= left
    assert not {"job:night", "warmup:192.0.2.10"} & left


async def test_a_ledger_that_is_away_is_an_alert(core: Parts, monkeypatch: Any) -> None:
    async def away(*_: object) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(core.admin, "standing", away)
    monkeypatch.setattr(core.admin, "workers", away)
    watch = watch_of(core)
    assert await watch.step()
    row = await core.pool.fetchrow("SELECT severity, what FROM alert WHERE key = 'ledger'")
    assert row["severity"] == "critical"


async def test_two_nodes_look_one_at_a_time(core: Parts) -> None:
    watch = watch_of(core)
    looked = await asyncio.gather(*(watch.step() for _ in range(2)))
    assert True in looked
    counts = await core.pool.fetch("SELECT count FROM alert WHERE key = 'gateway'")
    assert [row["count"] for row in counts] == [sum(looked)]


async def test_the_command_lists_acknowledges_mutes_and_tries(
    core: Parts,
    api: Api,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    assert "nobody is told" in await sendgate("alert", "list")
    await found(core, await core.calendar(), raised(what="mail goes around"))
    shown = await sendgate("alert", "list")
    assert "mail goes around" in shown
    assert "bypass: next: sendgate status" in shown
    assert re.search(r"│ 1 +│ - +│ - +│ - +│", shown), "made a message of, and told nobody"
    said = await sendgate("alert", "list", "--json")
    (alert,) = msgspec.json.decode(said, type=Alerts).alerts
    assert "acknowledged" in await sendgate("alert", "ack", str(alert.id), "--reason", "seen")
    said = await sendgate("alert", "mute", "bypass", "--for", "2h")
    assert "muted until" in said
    assert "no alert has had the key" not in said
    said = await sendgate("alert", "mute", "bypas", "--for", "1m")
    assert "note: no alert has had the key 'bypas' yet" in said
    assert "muted until" in await sendgate("alert", "list")
    tried = await sendgate("alert", "test", "--json", code=1)
    assert msgspec.json.decode(tried) == []


async def test_a_test_says_what_became_of_each_way(core: Parts, double: Telegram) -> None:
    good = by_telegram(core, double)
    assert await good.test(START) == [Delivered(channel="telegram", delivered=True, error="")]
    assert double.texts[0].startswith("TEST: ")
    settings = Settings(telegram_token=BOT, telegram_chat="5", telegram_url=double.url)
    bad = Sender(core.pool, channels_of(settings), "info")
    (one,) = await bad.test(START)
    assert one.error == "Telegram: 400 Bad Request: chat not found"
