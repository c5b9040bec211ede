"""A backup of PostgreSQL was put back: nothing that waited then may go before it is known that it
did not go since."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.cli.main import run
from control.embedded.stack.toml import to_toml
from control.ledger.restore import Restored, restore
from control.ledger.status import LedgerState
from control.ledger.unknown import Unknown
from control.problem import RefusedError
from policy.isotime import instant
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger_port import Change, EntryState
from policy.limits import day_of
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for
from tests.support.ledger.loss import WAIT, Scene, scene

SINCE = 1_000_000


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Scene]:
    async with scene(settings) as made:
        day = day_of(await made.now())
        await made.held(1, "held", reason="ip_quota", waiting=True, due=SINCE, key="kheld")
        await made.held(2, "held", reason="failed", attempt=1)
        await made.held(3, "claimed", claimant="r1", envelope=f"{day}-message3.1")
        await made.held(4, "doubt", reason="unknown", envelope=f"{day}-message4.2", attempt=2)
        await made.held(5, "doubt", reason="duplicate", behind="message4")
        await made.held(6, "done", verdict="was", vmta="vmta-192-0-2-10")
        await made.held(7, "refused", verdict="was")
        await made.held(8, "tombstone", reason="was", vmta="")
        yield made


async def rows(here: Scene) -> dict[str, Any]:
    found = await here.core.pool.fetch("SELECT * FROM held ORDER BY id")
    return {row["id"].removeprefix("message"): row for row in found}


async def doubt(here: Scene, **how: Any) -> Restored:
    return await restore(here.core.pool, here.core.admin, who="ops", **how)


async def test_a_dry_run_counts_and_changes_nothing(here: Scene) -> None:
    before = await rows(here)
    done = await doubt(here, dry=True)
    assert (done.waiting, done.in_doubt) == ({"claimed": 1, "doubt": 2, "held": 2}, 5)
    assert await rows(here) == before
    assert (await here.opening.status()).state is LedgerState.OPEN
    assert await here.audits("restore") == []


async def test_what_waited_is_in_doubt_and_the_ledger_is_closed(here: Scene) -> None:
    assert await here.send("initech") == 1
    done = await doubt(here, reason="disk died")
    assert done.in_doubt == 5
    found = await rows(here)
    for number in "12345":
        row = found[number]
        assert (row["state"], row["reason"], row["claimant"], row["waiting"], row["due"]) == (
            *("doubt", "restored", "", False, 0),
        )
        assert abs(row["since"] - await here.now()) < 60_000
    assert [found[n]["envelope"] != "" for n in "1234"] == [False, False, True, True]
    assert (found["4"]["attempt"], found["5"]["behind"]) == (2, "message4")
    assert {found[n]["reason"] or found[n]["verdict"] for n in "678"} == {"was"}
    assert await here.send("initech") == "closed"
    status = await here.opening.status()
    assert (status.state, status.in_force) == (LedgerState.REBUILDING, "")
    assert "a backup of PostgreSQL was restored" in status.detail
    assert await here.audits("restore") == [("ops", "disk died")]


async def test_twice_is_as_good_as_once(here: Scene) -> None:
    await doubt(here)
    once = await rows(here)
    await asyncio.sleep(0.01)
    assert (await doubt(here)).in_doubt == 0
    assert await rows(here) == once
    assert (await here.opening.status()).state is LedgerState.REBUILDING


async def test_control_rebuilds_the_ledger_after_it(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    assert await here.send("acme", 1) == 1
    await doubt(here)
    await here.attend()
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    assert (await here.attend()).state is LedgerState.OPEN
    # One was counted before, of two nobody knows; what was given back is not among them.
    assert await here.send("acme", 5) == 3
    assert await here.send("initech", key="kheld") == "D message1"


async def test_probes_of_before_the_dump_prove_nothing(here: Scene) -> None:
    """The dump was made in the middle of a rebuilding."""
    await here.feed("pmta1", "pmta2")
    await here.lose()
    await here.attend(1, WAIT)
    await here.answer("pmta1", "pmta2")
    await doubt(here)
    assert (await here.attend(2)).state is LedgerState.REBUILDING
    await here.attend(1, WAIT)
    assert (await here.opening.status()).state is LedgerState.REBUILDING


async def test_a_dump_from_before_the_first_opening_opens_by_evidence_only(here: Scene) -> None:
    await here.feed("pmta1", "pmta2")
    await here.core.pool.execute("DELETE FROM ledger")
    await doubt(here)
    status = await here.attend()
    assert (status.state, len(status.waits)) == (LedgerState.REBUILDING, 3)


async def test_without_the_ledger_nothing_is_changed(here: Scene) -> None:
    before = await rows(here)
    async with connect("redis://127.0.0.1:1/0", timeout=0.5) as nobody:
        with pytest.raises(RefusedError, match="does not answer"):
            await restore(here.core.pool, LedgerAdmin(nobody), who="ops")
    assert await rows(here) == before


async def test_the_command_asks_for_a_yes(
    here: Scene, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sendgate.toml"
    file.write_text(to_toml(settings))

    async def command(*words: str) -> tuple[int, str]:
        code = await asyncio.to_thread(run, ["restore", "--config", str(file), *words])
        return code, capsys.readouterr().out

    assert (await command())[0] == 1
    assert (await command("--dry-run"))[1].splitlines() == [
        "waiting: 1 claimed, 2 doubt, 2 held",
        "would put 5 messages in doubt and close ledger main",
    ]
    code, out = await command("--yes", "--json", "--reason", "disk died")
    assert (code, msgspec.json.decode(out, type=Restored).in_doubt) == (0, 5)
    assert await here.audits("restore") == [("command line", "disk died")]
    assert await here.send("initech") == "closed"


async def test_it_says_which_250s_it_does_not_know(
    here: Scene, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Held messages that the ledger has entries of, or the log lines, and PostgreSQL no row."""
    file, log = tmp_path / "sendgate.toml", tmp_path / "gateway.log"
    file.write_text(to_toml(settings))
    known, several, lost, went, keyless = (name.ljust(27, "0") for name in "kslwu")
    newest = await here.now() - 60_000
    for number, row in enumerate((known, f"{several}x1"), 20):
        await here.held(number, "held", reason="ip_quota", id=row, arrived=newest)
    changes = [
        Change("k1", known, 1, EntryState.HELD),
        Change("k2", f"{several}x1", 1, EntryState.HELD),
        Change("k3", f"{lost}x0", 1, EntryState.HELD),
        Change("k4", f"{lost}x1", 1, EntryState.HELD),
        Change("k5", went, 1, EntryState.SENT),
    ]
    await here.core.ledger.decide(changes)
    # One that has ended long ago, its day forgotten: older than the newest row.
    old = f"H 1 {newest - 1} - {'o' * 27}"
    await here.core.admin.client.set(f"{here.core.admin.root}dup:k6", old)
    lines = [
        {"time": time.time(), "event": event, "outcome": outcome, "message": name}
        for event, outcome, name in (
            ("message", "held", known),
            ("message", "held", several),
            ("message", "held", lost),
            ("message", "held", went),
            ("released", "relayed", f"{went}x0"),
            ("message", "held", keyless),
            ("message", "relayed", "n" * 27),
        )
    ]
    log.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))

    async def command(*words: str) -> str:
        line = ["restore", "--config", str(file), "--log", str(log), *words]
        assert await asyncio.to_thread(run, line) == 0
        return capsys.readouterr().out

    dry = msgspec.json.decode(await command("--dry-run", "--json"), type=Restored)
    assert dry.unknown.logged == [lost, keyless]
    assert (dry.unknown.since, dry.unknown.entries) == (instant(newest), 1)
    assert instant(newest) < dry.unknown.until <= instant(await here.now())
    _, ledger, logged, *_ = (await command("--yes")).splitlines()
    assert ledger.startswith("1 message answered 250 after ")
    assert logged.endswith(f"are not in this PostgreSQL: {lost}, {keyless}")
    audited = await here.core.pool.fetchval(
        "SELECT after->>'unknown' FROM audit_log WHERE action = 'restore'"
    )
    assert audited == "1"


def test_a_sentence_names_a_few_ids_and_says_how_many_more() -> None:
    [five] = Unknown(since="s", logged=list("abcde")).sentences()
    assert five.endswith(": a, b, c, d, e")
    [seven] = Unknown(since="s", logged=list("abcdefg")).sentences()
    assert seven.endswith(": a, b, c, d, e and 2 more (--json names all)")


async def test_a_log_that_is_not_there_changes_nothing(here: Scene, tmp_path: Path) -> None:
    before = await rows(here)
    with pytest.raises(RefusedError, match=r"gateway\.log: No such file"):
        await doubt(here, logs=[tmp_path / "gateway.log"])
    assert await rows(here) == before
    assert (await here.opening.status()).state is LedgerState.OPEN
    assert await here.audits("restore") == []
