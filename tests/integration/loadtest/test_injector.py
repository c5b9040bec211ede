"""Our injector against our sink: both count the same, whatever goes wrong."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtest.inject import Order, inject
from loadtest.injection.mail import Mail
from loadtest.injection.tally import Tally, together
from loadtest.sink import Behaviour, Counts
from tests.support.certificates import make_certificate
from tests.support.pmta.sink import running_sink
from tests.support.pmta.standin import StandInProcess


def _counts(taken: int, distinct: int, twice: int = 0, deferred: int = 0) -> dict[str, int]:
    return {
        "taken": taken,
        "distinct": distinct,
        "twice": twice,
        "deferred": deferred,
        "strange": 0,
    }


@pytest.mark.parametrize(
    "order",
    [
        Order(port=0, messages=60, connections=7),
        Order(port=0, messages=60, connections=7, processes=2, campaign=True),
        Order(port=0, messages=60, connections=7, kept=False, login=("user", "secret")),
        Order(port=0, messages=60, connections=7, rate=300.0),
        Order(port=0, messages=60, connections=7, rate=300.0, kept=False),
        Order(port=0, messages=60, connections=3, size=40_960),
    ],
    ids=["closed", "two processes", "each", "paced", "paced each", "large"],
)
def test_each_message_goes_once(order: Order) -> None:
    with running_sink() as sink:
        tally = inject(_at(order, sink.port))
    assert (tally.accepted, tally.failed, tally.trouble) == (60, 0, [])
    assert len(tally.latencies) == 60
    assert min(tally.latencies) > 0
    assert tally.rate > 0
    assert sink.counted == _counts(60, 60)


def _at(order: Order, port: int) -> Order:
    return msgspec.structs.replace(order, port=port)


def test_a_pace_is_kept() -> None:
    with running_sink() as sink:
        tally = inject(Order(port=sink.port, messages=100, rate=200.0, connections=5))
    assert tally.ended - tally.started >= 0.45


def test_the_same_run_again_is_twice() -> None:
    with running_sink() as sink:
        for _ in range(2):
            inject(Order(port=sink.port, messages=10, connections=2))
    assert sink.counted == _counts(20, 10, twice=10)


def test_deferrals_are_counted_at_both_ends() -> None:
    with running_sink("--defer", "0.5") as sink:
        tally = inject(Order(port=sink.port, messages=100, connections=4))
    assert tally.accepted + tally.deferred == 100
    assert 10 < tally.deferred < 90
    assert tally.trouble[0] == "DOT: 451 4.3.0 not now"
    assert sink.counted == _counts(tally.accepted, tally.accepted, deferred=tally.deferred)


def test_a_late_sink_is_seen_as_latency() -> None:
    with running_sink("--delay", "0.02") as sink:
        tally = inject(Order(port=sink.port, messages=10, connections=10))
    # MAIL, RCPT, DATA and the dot wait once each.
    assert min(tally.latencies) >= 0.079  # a timer may fire within the clock's resolution


def test_for_a_time_as_many_as_fit() -> None:
    with running_sink() as sink:
        tally = inject(Order(port=sink.port, seconds=0.3, connections=3, timed=False))
    assert tally.accepted > 0
    assert tally.latencies == []
    assert sink.counted["distinct"] == tally.accepted


def test_nobody_there_is_trouble_not_a_wait() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        tally = inject(Order(port=bound.getsockname()[1], messages=10, connections=2))
    assert tally.accepted == 0
    assert tally.trouble
    assert tally.trouble[0].startswith("connect:")


async def test_starttls_and_login_on_each_connection(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    pmta = await StandInProcess.run(
        "--tls", str(made.certificate), str(made.key),
        "--require-auth", "user:secret", "--store", "counts",
    )  # fmt: skip
    try:
        order = Order(
            port=pmta.smtp_port, messages=12, connections=3, kept=False,
            login=("user", "secret"), ca=str(made.certificate),
        )  # fmt: skip
        tally = await asyncio.to_thread(inject, order)
        assert (tally.accepted, tally.trouble) == (12, [])
        wrong = msgspec.structs.replace(order, login=("user", "other"))
        tally = await asyncio.to_thread(inject, wrong)
        assert tally.accepted == 0
        assert tally.trouble[0].startswith("AUTH: 535")
    finally:
        await pmta.stop()


def test_the_command_prints_one_object() -> None:
    with running_sink() as sink:
        done = subprocess.run(
            [sys.executable, "-m", "loadtest.inject", f"127.0.0.1:{sink.port}", "--messages", "5",
             "--connections", "2", "--each", "--campaign"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 5


def test_campaign_mail_names_campaign_and_subscriber_as_mailwizz_does() -> None:
    mail = Mail(4096, "run1", campaign=True)
    content = mail.content(5).decode()
    assert "\r\nX-Mw-Campaign-Uid: c00000000run1\r\n" in content
    assert "\r\nX-Mw-Subscriber-Uid: s000000000005\r\n" in content
    assert content.startswith("Feedback-ID: c00000000run1:s000000000005:")
    assert "\r\nList-Unsubscribe: <https://" in content
    assert content.endswith("\r\n.\r\n")
    assert content.count("\r\n.") == 1
    assert 3500 < len(content) < 5500
    assert "Mw-Campaign" not in Mail(4096, "run1", campaign=False).content(5).decode()


def test_a_run_is_letters_and_digits() -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        Mail(4096, "a b", campaign=True)


def test_tallies_add_up_from_the_first_start_to_the_last_end() -> None:
    found = together(
        [Tally(accepted=5, started=1.0, ended=3.0), Tally(accepted=5, started=2.0, ended=6.0)]
    )
    assert found.rate == 2.0


def test_stalls_come_back() -> None:
    behaviour = Behaviour(delay=0.005, stall_every=20.0, stall=2.0)
    late = [behaviour.late(now) for now in (0.0, 19.9, 20.0, 21.5, 22.5, 41.0)]
    assert late == pytest.approx([0.005, 0.005, 2.0, 0.5, 0.005, 1.0])


def test_a_message_without_a_number_is_strange() -> None:
    counts = Counts()
    counts.take(b"\r\nMessage-ID: <other@x>\r\n")
    counts.take(b"\r\nMessage-ID: <70000.run1@bench.example>\r\n")
    assert counts.report() == {
        "taken": 2,
        "distinct": 1,
        "twice": 0,
        "deferred": 0,
        "strange": 1,
    }


def test_senders_and_destinations_take_turns() -> None:
    mail = Mail(
        4096, "run1", campaign=False, domain="many.example", senders=3,
        destinations=("gmail.com", "orange.fr"),
    )  # fmt: skip
    envelopes = [mail.envelope(number) for number in range(4)]
    assert [sender for sender, _ in envelopes] == [
        b"MAIL FROM:<news@many.example>\r\n", b"MAIL FROM:<news1@many.example>\r\n",
        b"MAIL FROM:<news2@many.example>\r\n", b"MAIL FROM:<news@many.example>\r\n",
    ]  # fmt: skip
    assert envelopes[3][1] == b"RCPT TO:<s3@orange.fr>\r\n"
    assert b"From: La Gazette <news2@many.example>\r\n" in mail.content(2)
