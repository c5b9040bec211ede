"""All sending, stopped and started: of the plan, of the ledger, of warm-up, and seen everywhere."""

from typing import Any

import pytest

from control.parts import Parts, open_parts
from control.stop.stop import standing
from control.timetable import timetable
from policy.denial import Denied, Limit
from policy.ledger_port import Granted, Reserve
from tests.support.control.core import Api, Command, api_of

PATH = "/api/warmup/control"
ASK = Reserve("acme", "acme", "a@acme.example", (("gmail", 1),))


@pytest.fixture
async def acme(api: Api) -> Api:
    """With a tenant that may send."""
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10", "quota": 100}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    return api


async def act(api: Api, action: str, reason: str = "", *, status: int = 200) -> Any:
    body = {"action": action, "reason": reason}
    found, answer = await api("POST", PATH, body)
    assert found == status, answer
    return answer


async def granted(core: Parts) -> bool:
    """Whether the ledger would grant a recipient of acme's, as gateways ask it."""
    (decision,) = (await core.ledger.decide([ASK])).decisions
    assert isinstance(decision, Granted | Denied)
    assert isinstance(decision, Granted) or decision.limit is Limit.STOPPED, decision
    return isinstance(decision, Granted)


async def test_stop_is_of_the_plan_and_start_ends_it(acme: Api, core: Parts) -> None:
    assert await granted(core)
    answer = await act(acme, "stop", "the provider asked us to")
    assert answer["view"]["running"] is False
    assert answer["view"]["next"] is None
    stopped = answer["view"]["stopped"]
    assert (stopped["by"], stopped["reason"]) == ("test", "the provider asked us to")
    assert "0 held messages and all new mail wait" in answer["notes"][0]
    assert not await granted(core)
    again = await act(acme, "stop", "once more")
    assert (again["changed"], again["generation"]) == (False, answer["generation"])
    assert again["view"]["stopped"] == stopped, "the first who stopped it is named"
    # Another change leaves it as it is.
    assert (await acme("PATCH", "/api/v2/tenants/acme", {"max_recipients": 7}))[0] == 200
    assert not await granted(core)
    answer = await act(acme, "start")
    assert (answer["view"]["running"], answer["view"]["stopped"]) == (True, None)
    assert await granted(core)
    assert (await act(acme, "start"))["changed"] is False


async def test_it_outlives_control_and_the_ledger(acme: Api, core: Parts) -> None:
    await act(acme, "stop")
    await core.admin.client.flushall()
    async with open_parts(core.settings, movable_clock=True) as again:
        assert await standing(again.pool) is not None
        await again.opening.attend()
        await again.publisher.reconcile()
        current = await again.admin.current()
        assert current is not None
        assert current.stopped
        async with api_of(again) as api:
            assert (await api("GET", PATH))[1]["running"] is False  # type: ignore[index]


async def test_the_plan_of_all_rows_is_the_plan_of_the_change(acme: Api, core: Parts) -> None:
    await act(acme, "stop")
    assert (await acme("POST", "/api/v2/generation"))[0] == 200
    current = await core.publisher.current()
    assert current is not None
    assert current.stopped


async def test_it_is_seen_where_operators_look(acme: Api, core: Parts) -> None:
    await act(acme, "stop", "maintenance")
    _, status = await acme("GET", "/api/v2/status")
    trouble = next(t for t in status["troubles"] if t["key"] == "stopped")  # type: ignore[index]
    assert "all sending is stopped since" in trouble["what"]
    assert "by test: maintenance" in trouble["what"]
    assert trouble["next"] == "sendgate warmup start"
    _, text = await acme("GET", "/metrics")
    assert "sendgate_sending_stopped 1.0" in str(text)
    _, page = await acme("GET", "/api/v2/audit?action=sending.stop")
    assert [e["reason"] for e in page["entries"]] == ["maintenance"]  # type: ignore[index]
    question = {"tenant": "acme", "from": "a@acme.example", "to": "x@gmail.com"}
    _, said = await acme("POST", "/api/v2/explain", question)
    assert (said["limit"], said["change"]) == (  # type: ignore[index]
        "stopped",
        "`sendgate warmup start`",
    )
    await act(acme, "start")
    _, status = await acme("GET", "/api/v2/status")
    assert "stopped" not in [t["key"] for t in status["troubles"]]  # type: ignore[index]
    assert "sendgate_sending_stopped 0.0" in str((await acme("GET", "/metrics"))[1])


async def test_warm_up_decides_nothing_meanwhile_and_catches_up(
    acme: Api, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped over midnight: the night's look is done at the start."""
    looked: list[bool] = []
    tell = core.warmup._tell

    async def told() -> None:
        looked.append(True)
        await tell()

    monkeypatch.setattr(core.warmup, "_tell", told)
    await act(acme, "stop")
    assert await core.warmup.look(turn=True) == 0
    assert not looked
    assert (await acme("POST", "/api/v2/clock", {"advance": "1d"}))[0] == 200
    answer = await act(acme, "start")
    assert looked
    assert any(note.startswith("warm-up: ") for note in answer["notes"])
    runs = timetable(core).named("warmup")
    assert await core.pool.fetchval("SELECT count(*) FROM job_run WHERE name = $1", runs.name) == 1


async def test_a_trigger_looks_once_and_not_while_all_is_stopped(acme: Api, core: Parts) -> None:
    news = core.admin.client.pubsub()
    await news.subscribe(f"{core.admin.root}news")
    await news.get_message(timeout=2.0)
    answer = await act(acme, "trigger", "to see")
    assert (await news.get_message(timeout=2.0))["data"] == b"look"
    await news.aclose()  # type: ignore[no-untyped-call]
    assert answer["notes"][0] == "every releaser looks at all that waits"
    assert answer["view"]["last"] is not None
    _, page = await acme("GET", "/api/v2/audit?action=job.run")
    assert [e["reason"] for e in page["entries"]] == ["to see"]  # type: ignore[index]
    await act(acme, "stop")
    answer = await act(acme, "trigger", status=409)
    assert "start it first" in answer["detail"]


async def test_a_dry_run_changes_nothing(acme: Api, core: Parts) -> None:
    for action in ("stop", "start", "trigger"):
        status, answer = await acme("POST", f"{PATH}/?dry_run=1", {"action": action})
        assert (status, answer["dry_run"]) == (200, True), answer  # type: ignore[index]
    assert await granted(core)
    assert await core.pool.fetchval("SELECT count(*) FROM job_run") == 0


async def test_the_command(acme: Api, command: Command) -> None:
    # A dry run says what would be done, not how it stands.
    said = await command("warmup", "stop", "--reason", "a test", "--dry-run")
    assert said.startswith("all sending stopped: would be done")
    assert "all sending stopped: done" in await command("warmup", "stop", "--reason", "a test")
    await command("status", code=1)
    # Figures of what may go next do not stand there as if it went.
    for words in (["quota"], ["hold", "forecast"], ["warmup", "status"]):
        assert "a test; new mail is held: nothing below goes before" in await command(*words)
    assert "all sending started: done" in await command("warmup", "start")
    assert "stopped" not in await command("quota")
    assert "note: warm-up: all IPs were looked at: 0 new decisions" in await command(
        "warmup", "trigger"
    )


async def test_a_reason_that_is_too_long_changes_nothing(acme: Api, command: Command) -> None:
    for words in (["warmup", "stop"], ["tenant", "remove", "acme"]):
        said = await command(*words, "--reason", "x" * 501, code=2)
        assert said == "sendgate: --reason: expected at most 500 characters\n"
    status, _ = await acme("GET", "/api/v2/tenants/acme")
    assert status == 200
