"""A version of PowerMTA's configuration is brought into force whole, or everything is as it was."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from control.pmta.fileset import MAIN
from tests.integration.agent.conftest import MakeFollower
from tests.support.control.agents import Agent
from tests.support.pmta.double import Pmta
from tests.support.pmta.offering import Offering, offer_of

APPLYING = "control.agent.applying"
COMMANDS = ("test config", "reload", "show vmtas")


def lies(tmp_path: Path) -> dict[str, str]:
    """All that lies in the folder, by path."""
    folder = tmp_path / "sendgate"
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def started(make: MakeFollower, offering: Offering, **settings: object) -> Agent:
    """An agent by which version 1, with v1, runs."""
    agent = make(**settings)
    agent.start(module=APPLYING)
    await offering.running(await offering.offer(offer_of(1, "v1")))
    return agent


async def test_versions_come_into_force_with_their_keys_and_old_ones_go(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    agent = make_follower()
    agent.start(module=APPLYING)
    said = await offering.until(lambda said: said.state == "none")
    assert (said.running, said.drift) == (0, [])
    # PowerMTA includes the first file from the first day on.
    assert "v1" not in pmta.restart()
    one = await offering.offer(offer_of(1, "v1", "v2"))
    said = await offering.running(one)
    assert (said.tried, said.step, said.problem, said.drift) == (1, "", "", [])
    assert pmta.log[:3] == ["test config", "reload", "show vmtas"]
    assert {"v1.example", "v2.example"} <= set(pmta.running.split())
    files = lies(tmp_path)
    assert files.keys() == {
        MAIN,
        "own.conf",
        "versions/1-1/.former",
        "versions/1-1/vmtas.conf",
        "versions/1-1/more.conf",
        "versions/1-1/keys/v1.example.s.pem",
        "versions/1-1/keys/v2.example.s.pem",
    }
    assert f"include {tmp_path}/sendgate/versions/1-1/vmtas.conf" in files[MAIN]
    for name in files:
        if name != "own.conf":
            assert stat.S_IMODE((tmp_path / "sendgate" / name).stat().st_mode) == 0o640
    for number in range(2, 6):
        await offering.running(await offering.offer(offer_of(number, f"w{number}")))
    assert pmta.restart() == pmta.running
    assert {name for name in lies(tmp_path) if "keys" in name} == {
        f"versions/{n}-1/keys/w{n}.example.s.pem" for n in (3, 4, 5)
    }
    assert files["own.conf"] == lies(tmp_path)["own.conf"]
    # An older one is offered again.
    two = await offering.offer(offer_of(2, "w2"))
    await offering.running(two)
    assert "w2.example" in pmta.restart()
    assert await agent.stop() == 0


@pytest.mark.parametrize(
    ("step", "command"), [("test", "test config"), ("reload", "reload"), ("verify", "show vmtas")]
)
async def test_what_powermta_refuses_leaves_the_former_version(
    offering: Offering,
    make_follower: MakeFollower,
    pmta: Pmta,
    tmp_path: Path,
    step: str,
    command: str,
) -> None:
    await started(make_follower, offering)
    before, ran, asked = lies(tmp_path), pmta.running, len(pmta.log)
    if step == "verify":
        pmta.put("answers.json", {command: {"vmta": ["v1"]}})
    else:
        pmta.put("refused.json", {command: "Error in line 7 of /etc/pmta/config: no"})
    await offering.offer(offer_of(2, "v1", "v2"))
    said = await offering.until(lambda said: said.tried == 2)
    assert (said.state, said.step) == ("failed", step)
    assert ("line 7" if step != "verify" else "does not show v2") in said.problem
    assert lies(tmp_path)[MAIN] == before[MAIN]
    # A reload that PowerMTA refuses for the former version, too, is tried until it takes it.
    assert said.running == (0 if step == "reload" else 1)
    if step == "test":
        # PowerMTA named a line: nobody can have loaded it, and nothing is to be loaded again.
        assert (said.drift, pmta.log[asked:].count("reload")) == ([], 0)
    pmta.put("refused.json", {})
    pmta.put("answers.json", {})
    said = await offering.until(lambda said: said.running == 1 and not said.drift)
    assert (said.state, said.step, said.digest) == ("failed", step, offer_of(1, "v1").digest)
    assert pmta.running == ran
    assert pmta.restart() == ran
    assert lies(tmp_path) == before
    # Control takes it back.
    await offering.running(await offering.offer(offer_of(1, "v1")))


async def test_a_bad_file_fails_its_test_and_names_its_line(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta
) -> None:
    await started(make_follower, offering)
    await offering.offer(offer_of(2, "v1", text="nonsense yes\n"))
    said = await offering.until(lambda said: said.tried == 2)
    assert (said.state, said.step, said.running) == ("failed", "test", 1)
    assert "Error in line 2 of" in said.problem
    assert "more.conf" in said.problem
    # Another offer of the same version is another try.
    await offering.running(await offering.offer(offer_of(2, "v2")))


@pytest.mark.parametrize("gate", ["before test config", "before reload", "after reload"])
async def test_a_command_that_hangs_is_ended_and_the_former_version_is_back(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, gate: str
) -> None:
    await started(make_follower, offering, reload_wait=2, test_wait=2)
    ran = pmta.running
    pmta.put("gates.json", [gate])
    await offering.offer(offer_of(2, "v2"))
    said = await offering.until(lambda said: said.tried == 2)
    assert (said.state, said.step) == ("failed", gate.split()[1])
    assert "did not end within 2 s" in said.problem
    if "reload" in gate:
        # Nobody knows what it runs.
        assert said.running == 0
        assert "it has not loaded version 1 again" in said.drift[0]
    assert pmta.restart() == ran
    pmta.put("gates.json", [])
    said = await offering.until(lambda said: said.running == 1)
    assert pmta.running == ran


async def test_powermta_that_is_down_gets_the_version_when_it_is_back(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta
) -> None:
    await started(make_follower, offering, again_first=1, again_most=1)
    pmta.put("down", "")
    two = await offering.offer(offer_of(2, "v2"))
    said = await offering.until(lambda said: said.tried == 2)
    assert (said.state, said.step) == ("failed", "test")
    assert "is it running" in said.problem
    pmta.restart()
    await offering.running(two)
    assert "v2.example" in pmta.running


async def test_files_changed_by_hand_are_left_until_somebody_asks(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    agent = await started(make_follower, offering)
    folder = tmp_path / "sendgate"
    by_hand = folder / "versions/1-1/vmtas.conf"
    by_hand.write_text(by_hand.read_text().replace("v1.example", "mine.example"))
    (by_hand.parent / "extra.conf").write_text("# mine\n")
    (by_hand.parent / "more.conf").unlink()
    before = lies(tmp_path)
    said = await offering.until(lambda said: said.state == "changed")
    assert [line.removeprefix(f"{by_hand.parent}/") for line in said.drift] == [
        "more.conf is missing",
        "vmtas.conf was changed by hand",
        "extra.conf was not written by the agent",
    ]
    assert said.digest not in ("", offer_of(1, "v1").digest)
    await offering.offer(offer_of(2, "v2"))
    said = await offering.until(lambda said: said.tried == 2)
    assert (said.state, said.running, said.step) == ("changed", 1, "")
    assert lies(tmp_path) == before
    two = await offering.offer(offer_of(2, "v2", overwrite=True))
    await offering.running(two)
    # It was allowed once.
    mine = folder / MAIN
    mine.write_text(mine.read_text() + "# mine\n")
    await offering.until(lambda said: said.state == "changed")
    await agent.stop()
    agent.start(module=APPLYING)
    said = await offering.until(lambda said: said.state == "changed")
    await offering.until(lambda _: offering.asked > 5)
    assert mine.read_text().endswith("# mine\n")
    # Put back by hand, all is well again.
    mine.write_text(mine.read_text().removesuffix("# mine\n"))
    await offering.running(two)


async def test_files_put_back_by_hand_let_the_offer_be_taken(
    offering: Offering, make_follower: MakeFollower, tmp_path: Path
) -> None:
    await started(make_follower, offering)
    main = tmp_path / "sendgate" / MAIN
    kept = main.read_text()
    main.unlink()
    two = await offering.offer(offer_of(2, "v2"))
    said = await offering.until(lambda said: said.state == "changed" and said.tried == 2)
    assert said.drift[0] == f"{main} is missing"
    main.write_text(kept)
    await offering.running(two)


async def test_of_two_versions_in_quick_succession_the_newer_one_runs(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta
) -> None:
    await started(make_follower, offering)
    pmta.put("gates.json", ["before test config"])
    await offering.offer(offer_of(2, "v2"))
    await pmta.at("before test config")
    await offering.offer(offer_of(3, "v3"))
    four = await offering.offer(offer_of(4, "v4"))
    pmta.put("gates.json", [])
    await offering.running(four)
    assert [said.running for said in offering.said if said.running > 1][:2] == [2, 4]
    assert "v4.example" in pmta.restart()


async def test_a_full_disk_changes_nothing(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    agent = await started(make_follower, offering, again_first=1, again_most=1)
    before, ran = lies(tmp_path), pmta.running
    agent.disk(8_000)
    two = await offering.offer(offer_of(2, "v2", text="# long\n" * 2_000))
    said = await offering.until(lambda said: said.tried == 2)
    assert (said.state, said.step, said.running, said.drift) == ("failed", "write", 1, [])
    assert "File too large" in said.problem
    assert (lies(tmp_path), pmta.restart()) == (before, ran)
    agent.disk(-1)
    await offering.running(two)


async def test_a_powermta_without_the_include_is_told_so_and_taken_when_it_is_there(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    config = (pmta.folder / "config").read_text()
    pmta.put("config", "log-file /x\n")
    agent = make_follower(again_first=1, again_most=1)
    agent.start(module=APPLYING)
    one = await offering.offer(offer_of(1, "v1"))
    said = await offering.until(lambda said: said.tried == 1)
    assert (said.state, said.step, said.running) == ("failed", "verify", 0)
    # Before everything else: a sentence that repeats it may be cut.
    line = f"add the line `include {tmp_path}/sendgate/{MAIN}` to PowerMTA's own configuration"
    assert said.problem.startswith(line)
    assert "does not show v1" in said.problem
    pmta.put("config", config)
    await offering.running(one)


async def test_an_empty_file_that_powermta_included_before_the_agent_was_there_is_taken(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    (tmp_path / "sendgate" / MAIN).touch()
    assert "log-file" in pmta.restart()
    agent = make_follower()
    agent.start(module=APPLYING)
    said = await offering.running(await offering.offer(offer_of(1, "v1")))
    assert [one.state for one in offering.said if one.state == "changed"] == []
    assert (said.tried, said.step) == (1, "")
    assert pmta.log[:3] == ["test config", "reload", "show vmtas"]


async def test_what_cannot_be_an_offer_is_refused_before_anything_is_written(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    await started(make_follower, offering)
    before, said = lies(tmp_path), len(pmta.log)
    good = offer_of(2, "v2")
    for number, (offer, why) in enumerate(
        [
            (offer_of(3, digest="0" * 64), "not those of its digest"),
            (offer_of(4, files={"a.conf": ""}), f"no {MAIN}"),
            (offer_of(5, files={**good.files, "../a.conf": ""}), "no name for a file"),
            (offer_of(6, "v2", keys={"../../a": "x"}), "no name for a key file"),
        ],
        3,
    ):
        await offering.offer(offer)
        found = await offering.until(lambda said, number=number: said.tried == number)
        assert (found.state, found.step, found.running) == ("failed", "write", 1)
        assert why in found.problem
    assert lies(tmp_path) == before
    assert not {"reload", "test config"} & set(pmta.log[said:])


async def test_an_agent_that_lost_its_memory_knows_the_offered_version_again(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    agent = await started(make_follower, offering)
    await agent.stop()
    (agent.state / "configuration.json").unlink()
    before = lies(tmp_path)
    agent.start(module=APPLYING)
    await offering.until(lambda said: said.state == "changed")
    await offering.running(offer_of(1, "v1"))
    assert lies(tmp_path) == before


async def test_while_control_is_away_nothing_changes_and_it_is_told_afterwards(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    agent = await started(make_follower, offering, retry_most=1)
    before, ran = lies(tmp_path), pmta.running
    await offering.down()
    await agent.stop()
    agent.start(module=APPLYING)
    await offering.up()
    await offering.running(offer_of(1, "v1"))
    assert (lies(tmp_path), pmta.running) == (before, ran)
    pmta.run("pause", "queue", "gmail.com/v1")
    said = await offering.until(lambda said: said.drift)
    assert (said.state, said.drift) == (
        "running",
        ["VirtualMTA v1 is paused by hand for gmail.com"],
    )


async def test_queues_are_counted_where_somebody_waits_for_them(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta
) -> None:
    await started(make_follower, offering)
    pmta.put("queued.json", {"gmail.com/v1": 7, "aol.com/V1": 2, "gmail.com/v9": 1})
    offering.queues = ["v1", "v2"]
    said = await offering.until(lambda said: said.queued)
    assert said.queued == {"v1": 9, "v2": 0}
    pmta.put("answers.json", {"show queues": {"queue": [{"name": "gmail.com/v1", "kb": 7}]}})
    await offering.until(lambda said: said.queued == {"v2": 0})
    pmta.put("answers.json", {"show queues": "7 recipients"})
    await offering.until(lambda said: said.queued == {})


async def test_it_ends_at_once_while_it_waits_for_control(
    offering: Offering, make_follower: MakeFollower
) -> None:
    agent = await started(make_follower, offering, offer_wait=300, status_every=600)
    asked = offering.asked
    await offering.until(lambda _: offering.asked >= asked)
    assert await agent.stop() == 0
    assert "Traceback" not in agent.said


async def test_what_would_happen_is_shown_and_nothing_is_written(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    agent = await started(make_follower, offering)
    await agent.stop()
    await offering.offer(offer_of(2, "v2"))
    before, said, log = lies(tmp_path), len(offering.said), len(pmta.log)

    async def shown() -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", APPLYING, "--config", str(agent.config), "--dry-run"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode()

    text = await shown()
    folder = f"{tmp_path}/sendgate"
    assert text.startswith(f"{folder}: version 1, offered: 2\n")
    for line in (
        "--- vmtas.conf (1)",
        "+++ vmtas.conf (2)",
        "-    smtp-source-host 192.0.2.1 v1.example",
        "+    domain-key s,v2.example,{keys}/v2.example.s.pem",
        "key v1.example.s.pem goes",
        "key v2.example.s.pem is new",
        "PowerMTA does not show v2 yet",
        "then: `pmta test config`, `pmta reload`, `pmta show vmtas`",
    ):
        assert line in text.splitlines()
    assert "key of" not in text
    (tmp_path / "sendgate" / MAIN).write_text("# mine\n")
    text = await shown()
    assert f"{folder}/{MAIN} was changed by hand" in text
    assert "files were changed by hand: nothing is done" in text
    (tmp_path / "sendgate" / MAIN).write_text(before[MAIN])
    await offering.offer(offer_of(1, "v1"))
    assert (await shown()).endswith("nothing to do\n")
    assert (lies(tmp_path), len(offering.said), pmta.log[log:]) == (
        before,
        said,
        ["show vmtas"] * 2,
    )
    reading, writing = os.pipe()
    os.close(reading)
    headed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", APPLYING, "--config", str(agent.config), "--dry-run"),
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    assert (await headed.communicate())[1] == b"", "`… | head`: the reader has what it wanted"


@pytest.mark.parametrize(
    "gate", [f"{when} {what}" for what in COMMANDS for when in ("before", "after")]
)
async def test_one_that_is_killed_goes_on_at_its_next_start(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, gate: str
) -> None:
    agent = await started(make_follower, offering)
    ran = pmta.running
    pmta.put("gates.json", [gate])
    two = await offering.offer(offer_of(2, "v2"))
    await pmta.at(gate)
    agent.kill()
    pmta.put("gates.json", [])
    text = pmta.restart()
    assert "v1.example" not in text or text == ran
    agent.start(module=APPLYING)
    await offering.running(two)
    assert pmta.running == pmta.restart()
    assert "v2.example" in pmta.running


async def test_an_older_powermta_that_cannot_test_is_named_and_one_may_go_without(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta
) -> None:
    pmta.put("refused.json", {"test config": "unknown command: test"})
    agent = make_follower()
    agent.start(module=APPLYING)
    one = await offering.offer(offer_of(1, "v1"))
    said = await offering.until(lambda said: said.tried == 1)
    assert (said.state, said.step, said.running) == ("failed", "test", 0)
    assert "unknown command: test; a PowerMTA before 5.0 cannot test" in said.problem
    await agent.stop()
    agent.write({**agent.settings, "test": False})
    tested = pmta.log.count("test config")
    agent.start(module=APPLYING)
    await offering.running(one)
    assert pmta.log.count("test config") == tested


async def test_a_group_that_is_not_there_is_named_and_nothing_is_written(
    offering: Offering, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    agent = make_follower(group="no-such-group")
    before = lies(tmp_path)
    agent.start(module=APPLYING)
    await offering.offer(offer_of(1, "v1"))
    said = await offering.until(lambda said: said.tried == 1)
    assert (said.state, said.step) == ("failed", "write")
    assert said.problem == "no-such-group: there is no such group on this host"
    assert lies(tmp_path) == before
