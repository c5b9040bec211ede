"""The PowerMTA stand-in over real sockets: what it takes, refuses, and does on request."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.pmta.standin import StandIn, StandInProcess
from tests.support.session.smtpwire import SmtpWire


@pytest.fixture
async def pmta() -> AsyncIterator[StandIn]:
    async with StandIn.start() as standin:
        yield standin


@pytest.fixture
async def wire(pmta: StandIn) -> AsyncIterator[SmtpWire]:
    wire = await SmtpWire.open(pmta.smtp_port)
    yield wire
    await wire.close()


@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_a_message_arrives_unstuffed_in_any_slices(
    pmta: StandIn, wire: SmtpWire, step: int
) -> None:
    body = b"Subject: x\r\n\r\n..dot\r\nbare\n.\nlf\r\n.\nno end\r\n"
    dialogue = (
        b"MAIL FROM:<a@t.test>\r\nRCPT TO:<b@gmail.test>\r\nDATA\r\n" + body + b".\r\nNOOP\r\n"
    )
    for start in range(0, len(dialogue), step):
        wire.say(dialogue[start : start + step])
        await wire.writer.drain()
    replies = [await wire.reply() for _ in range(5)]
    assert [reply[:3] for reply in replies] == ["250", "250", "354", "250", "250"]
    [message] = await pmta.messages()
    # Only lines that CRLF began lose a dot: `.\n` is content, not an end.
    wanted = b"Subject: x\r\n\r\n.dot\r\nbare\n.\nlf\r\n\nno end\r\n"
    assert message.raw == message.content == wanted
    assert message.sha256 == hashlib.sha256(wanted).hexdigest()


async def test_an_empty_message_ends_with_its_first_line(pmta: StandIn, wire: SmtpWire) -> None:
    assert (await wire.send("b@gmail.test", body="")).startswith("250")
    assert (await pmta.messages())[0].content == b""


async def test_the_three_fields_are_read_and_removed_the_rest_stays(
    pmta: StandIn, wire: SmtpWire
) -> None:
    head = "X-VIRTUAL-mta:\r\n  Vmta-7\r\nA: 1\r\nx-job: c1\r\nX-Envid: e1\r\nB: 2\r\n"
    head += "\r\nX-Job: body\r\n"
    assert (await wire.send("b@Gmail.test", body=head)).startswith("250")
    [message] = await pmta.messages(vmta="VMTA-7", rcpt="B@gmail.test")
    assert (message.vmta, message.jobid, message.envid) == ("Vmta-7", "c1", "e1")
    assert message.content == b"A: 1\r\nB: 2\r\n\r\nX-Job: body\r\n"
    assert message.raw == head.encode()
    assert message.header_names == ["A", "B"]
    report = await pmta.report()
    assert report["by_vmta"] == {
        "Vmta-7": {"messages": 1, "recipients": 1, "bytes": len(message.content)}
    }
    assert report["by_vmta_domain"] == {"Vmta-7": {"gmail.test": 1}}


async def test_a_second_virtual_mta_field_is_reported(pmta: StandIn, wire: SmtpWire) -> None:
    await wire.send("b@gmail.test", body="X-Virtual-MTA: one\r\nx-virtual-mta : two\r\n\r\n")
    [message] = await pmta.messages()
    assert message.vmta == "one"
    assert message.duplicate_virtual_mta_header
    assert (await pmta.report())["totals"]["duplicate_virtual_mta_header"] == 1


async def test_an_envid_seen_twice_is_counted(pmta: StandIn, wire: SmtpWire) -> None:
    for _ in range(2):
        await wire.send("b@gmail.test", parameters=" ENVID=e+2D1")
    assert (await pmta.report())["totals"]["duplicate_envids"] == 1
    assert await pmta.report(by="envid") == {"by_envid": {"e-1": 2}}


@pytest.mark.parametrize(
    ("rcpt", "reply", "taken"),
    [
        ("refuse", "550 5.1.1", 0),
        ("suppressed", "550 5.7.1 recipient is in suppression list", 0),
        ("defer", "451 4.2.1", 0),
        ("refuse-data", "554 5.6.0", 0),
        ("defer-data", "451 4.3.0", 0),
        ("lose-after-dot", "", 0),
        ("drop-after-dot", "", 1),
        ("garbage", "2x0 what", 1),
        ("late-0.05", "250", 1),
        ("queued", "250", 1),
        ("Bounce+17", "250", 1),
    ],
)
async def test_magic_recipients(
    pmta: StandIn, wire: SmtpWire, rcpt: str, reply: str, taken: int
) -> None:
    said = await wire.send(rcpt + "@gmail.test")
    assert said.startswith(reply)
    assert bool(said) == bool(reply)
    assert (await pmta.report())["totals"]["messages"] == taken


async def test_other_magic_senders_and_moments(pmta: StandIn, wire: SmtpWire) -> None:
    said = await wire.send("b@gmail.test", sender="mailfull@t.test")
    assert said == "452 4.3.2 Server resources temporarily exhausted"
    assert (await wire.send("extra@gmail.test")).startswith("250")
    assert await wire.reply() == "250 2.0.0 nobody asked"
    await wire.ask("MAIL FROM:<a@t.test>")
    await wire.ask("RCPT TO:<drop-before-dot@gmail.test>")
    assert (await wire.ask("DATA")).startswith("354")
    assert await wire.reply() == ""
    other = await SmtpWire.open(pmta.smtp_port)
    await other.ask("MAIL FROM:<a@t.test>")
    await other.ask("RCPT TO:<stall@gmail.test>")
    await other.ask("DATA")
    other.say("x\r\n.\r\nNOOP\r\n")
    await until_stalled(pmta)
    await other.close()
    assert (await pmta.report())["totals"]["messages"] == 1


async def until_stalled(pmta: StandIn) -> None:
    for _ in range(200):
        if (await pmta.report())["totals"]["stalled"]:
            return
    raise AssertionError("the dot never arrived")


async def test_a_dot_behind_the_hazardous_354_is_listed(pmta: StandIn, wire: SmtpWire) -> None:
    wire.say("MAIL FROM:<a@t.test>\r\nRCPT TO:<pipeline-354@gmail.test>\r\nDATA\r\n")
    assert [(await wire.reply())[:3] for _ in range(3)] == ["250", "550", "354"]
    assert (await pmta.report())["illegal_dots"] == []
    wire.say("x\r\n.\r\n")
    assert (await wire.reply()).startswith("554")
    report = await pmta.report()
    assert report["illegal_dots"][0]["refused"] == ["pipeline-354@gmail.test"]
    assert report["totals"]["messages"] == 0


async def test_faults_speak_and_stop_speaking(pmta: StandIn, wire: SmtpWire) -> None:
    await pmta.fault(mail="451 4.3.0 later", dot="452 4.3.1 full", unknown_vmta=["V7"])
    assert await wire.ask("MAIL FROM:<a@t.test>") == "451 4.3.0 later"
    await pmta.fault(mail=None)
    assert await wire.send("b@gmail.test") == "452 4.3.1 full"
    await pmta.fault(dot=None)
    said = await wire.send("b@gmail.test", body="x-virtual-mta: v7\r\n\r\n")
    assert said == "550 5.5.0 specified Virtual MTA 'v7' does not exist"
    await pmta.fault(greeting="421 4.3.2 restarting")
    other = await SmtpWire.open(pmta.smtp_port, ehlo=False)
    assert await other.reply() == "421 4.3.2 restarting"
    assert await other.reply() == ""
    await other.close()
    with pytest.raises(ValueError, match="ehlo: write one whole reply"):
        await pmta.fault(ehlo="nonsense")
    await pmta.reset()
    assert (await wire.send("b@gmail.test")).startswith("250")


async def test_a_frozen_server_takes_the_dot_once_thawed(pmta: StandIn, wire: SmtpWire) -> None:
    await wire.ask("MAIL FROM:<a@t.test>")
    await wire.ask("RCPT TO:<b@gmail.test>")
    await wire.ask("DATA")
    await pmta.fault(freeze=True)
    wire.say("x: y\r\n\r\n.\r\n")
    await wire.writer.drain()
    newcomer = await SmtpWire.open(pmta.smtp_port, ehlo=False)
    assert (await pmta.report())["totals"]["messages"] == 0
    await pmta.fault(freeze=False)
    assert (await wire.reply()).startswith("250")
    assert (await newcomer.reply()).startswith("220")
    await newcomer.close()


async def test_a_delayed_reply_keeps_the_order(pmta: StandIn, wire: SmtpWire) -> None:
    await pmta.fault(reply_delay=0.01)
    wire.say("NOOP\r\nVRFY x\r\nHELP\r\n")
    assert [(await wire.reply())[:3] for _ in range(3)] == ["250", "252", "500"]


async def test_sessions_beyond_the_limit_are_greeted_421() -> None:
    async with StandIn.start(max_sessions=1) as pmta:
        first = await SmtpWire.open(pmta.smtp_port)
        second = await SmtpWire.open(pmta.smtp_port, ehlo=False)
        assert (await second.reply()).startswith("421")
        assert await second.reply() == ""
        assert (await pmta.report())["totals"]["connections_refused"] == 1
        await first.close()
        await second.close()


async def test_mail_needs_the_login_that_is_required() -> None:
    async with StandIn.start(login=("u", "p"), max_size=100) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        assert (await wire.ask("MAIL FROM:<a@t.test>")).startswith("530")
        assert (await wire.ask("AUTH PLAIN AHUAeA==")).startswith("535")
        assert await wire.ask("AUTH LOGIN") == "334 VXNlcm5hbWU6"
        assert await wire.ask("dQ==") == "334 UGFzc3dvcmQ6"
        assert (await wire.ask("cA==")).startswith("235")
        assert (await wire.ask("MAIL FROM:<a@t.test> SIZE=101")).startswith("552")
        assert (await wire.send("b@gmail.test", body="x" * 120 + "\r\n")).startswith("552")
        assert (await wire.send("b@gmail.test")).startswith("250")
        await wire.close()


async def test_as_a_process_it_says_ready_and_ends_cleanly(tmp_path: Path) -> None:
    pmta = await StandInProcess.run("--store", "counts", "--accounting", str(tmp_path))
    wire = await SmtpWire.open(pmta.smtp_port)
    assert (await wire.send("b@gmail.test")).startswith("250")
    await wire.close()
    assert await pmta.messages() == []
    assert (await pmta.report())["totals"]["messages"] == 1
    assert await pmta.stop() == 0
    [file] = tmp_path.glob("acct-*-0001.csv")
    assert file.read_bytes().count(b"\r\n") == 3
    bad = tmp_path / "config"
    bad.write_text("host-name a\nnonsense 1\n")
    with pytest.raises(RuntimeError, match=r"ended with 2: .*Error in line 2 of .*nonsense"):
        await StandInProcess.run("--config", str(bad))
