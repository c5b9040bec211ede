"""What the gateway's pure functions, counting and logging cost: `python -m tests.bench.hotpath`.

Microseconds of CPU a call for one 4 KB newsletter, the best of many rounds (whatever else the
machine does only makes a round slower). Metrics are in multiprocess mode, as in a worker; the log
writes into a pipe that another process reads, on the production loop.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable

import uvloop

from gateway import sessions
from gateway.delivery import attempt
from gateway.delivery.hop import parcel
from gateway.message.headers import Header, scan, split
from gateway.message.ids import Ids
from gateway.message.message import Message, Recipient, Sender
from gateway.message.outcomes import about, counted
from gateway.message.routing import mailbox, pool_of, providers_of
from gateway.message.stamp import stamp
from gateway.relay.replies import ReplyParser
from gateway.session.datareader import DataReader
from gateway.session.envelope import parse_mail, parse_rcpt
from gateway.watch.log import Log
from loadtest.newsletter import newsletter
from policy.duplicate import identify
from policy.identity import envelope_id
from policy.model import Duplicates, Tenant
from policy.outcome import Stage, classify
from policy.reply import GO_AHEAD, RECIPIENT_OK, SENDER_OK, Reply

_MAILWIZZ = (
    b"Feedback-ID: qw123er456ty7:zx098cv765bn4:li123456:cu1\r\n"
    b"List-Unsubscribe: <https://m.example/lists/li123456/unsubscribe/zx098cv765bn4/qw123er456ty7>,"
    b"\r\n <mailto:u@m.example?subject=Unsubscribe>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"List-Id: li123456 <gazette>\r\n"
    b"X-Report-Abuse: Please report abuse for this campaign here: https://m.example/abuse/qw123\r\n"
    b"Precedence: bulk\r\n"
    b"X-Sender: news@bench.example\r\n"
    b"X-Receiver: you@dest.example\r\n"
)
"""What MailWizz adds to a campaign mail."""

_SAID = b"250 2.6.0 message received\r\n"
_EXTENSIONS = frozenset({"PIPELINING", "SIZE", "8BITMIME", "DSN", "SMTPUTF8"})
_ID = "0abcdefghj1234567890zzzzzz1"
_GRANTED = 1_795_000_000_123


def best(work: Callable[[], object], rounds: int = 50, number: int = 1000) -> float:
    """Microseconds a call."""
    seconds = timeit.repeat(work, repeat=rounds, number=number, timer=time.process_time)
    return min(seconds) / number * 1e6


def _cases() -> dict[str, Callable[[], object]]:
    plain = newsletter(4096)
    campaign = _MAILWIZZ + plain
    heads = split(plain)[0], split(campaign)[0]
    headers = [scan(head, 65_536) for head in heads]
    for header in headers:
        assert isinstance(header, Header)
    message = _message(plain)
    tenant = Tenant(name="acme", default_pool="main", domains={"bench.example": "pool-1"})
    reader = DataReader(10_000_000, 1000)
    reader.feed(plain + b".\r\n")
    addresses = [b"you@dest.example"]
    ids = Ids(os.urandom(8))
    suppression = re.compile("suppress")
    parser = ReplyParser()
    accepted = Reply(250, "2.6.0", "message received")

    def identified(header: Header | Reply) -> Callable[[], object]:
        assert isinstance(header, Header)
        fields, duplicates = header.key_fields, Duplicates()
        return lambda: identify(duplicates, "acme", addresses, fields, lambda: b"")

    def numbered(header: Header | Reply) -> Callable[[], object]:
        assert isinstance(header, Header)
        return lambda: mailbox(tenant, message, header)

    return {
        "DataReader.problem": reader.problem,
        "split": lambda: split(plain),
        "scan, plain newsletter": lambda: scan(heads[0], 65_536),
        "scan, MailWizz campaign": lambda: scan(heads[1], 65_536),
        "parse_mail": lambda: parse_mail(
            b"FROM:<news@bench.example>", esmtp=True, max_size=10_000_000
        ),
        "parse_mail SIZE BODY": lambda: parse_mail(
            b"FROM:<news@bench.example> SIZE=4096 BODY=8BITMIME", esmtp=True, max_size=10_000_000
        ),
        "parse_rcpt": lambda: parse_rcpt(b"TO:<you@dest.example>", esmtp=True, utf8=False),
        "mailbox": numbered(headers[0]),
        "pool_of": lambda: pool_of(tenant, "news@bench.example"),
        "providers_of": lambda: providers_of(message),
        "identify, no key": identified(headers[0]),
        "identify, MailWizz campaign": identified(headers[1]),
        "Ids.message": lambda: ids.message(1_795_000_000.123),
        "envelope_id": lambda: envelope_id(_GRANTED, _ID, 1, ""),
        "stamp": lambda: stamp(heads[0], vmta="vmta-1", job="qw123er", envelope=_ID),
        "parcel": lambda: parcel(message, heads[0], _ID, _EXTENSIONS),
        "ReplyParser.feed, one reply": lambda: parser.feed(_SAID),
        "ReplyParser.feed, three at once": lambda: parser.feed(
            b"250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n354 send it\r\n"
        ),
        "Reply.line, three constants": lambda: (SENDER_OK.line, RECIPIENT_OK.line, GO_AHEAD.line),
        "Reply and its line, unique": lambda: Reply(250, "2.0.0", f"OK 20779-{_ID}.1").line,
        "str(Reply)": lambda: str(accepted),
        "classify a 250": lambda: classify(Stage.DOT, accepted, suppression),
    }


def _message(content: bytes) -> Message:
    head, body = split(content)
    recipient = Recipient(b"you@dest.example", "dest.example")
    sender = Sender(b"news@bench.example", len(content), True)
    return Message(_ID, "acme", sender, (recipient,), head, body, "192.0.2.7")


def _counting() -> dict[str, Callable[[], object]]:
    return {
        "counter.inc": attempt._REFUNDS.inc,
        "counter.labels().inc": lambda: attempt._RECIPIENTS.labels("vmta-1", "other").inc(1),
        "counted().inc": lambda: counted("acme", "relayed").inc(),
        "histogram.observe": lambda: attempt._SECONDS.observe(0.0123),
        "gauge.inc and .dec": lambda: (sessions._OPEN.inc(), sessions._OPEN.dec()),
    }


async def _logged(log: Log, rounds: int = 300, lines: int = 10) -> list[float]:
    """[microseconds to make a line as `gateway.delivery.telling` does, to write ten of them]."""
    message = _message(newsletter(4096))
    reply = Reply(250, "2.6.0", "message received")
    made, written = [], []
    for _ in range(rounds):
        started = time.thread_time()
        for _ in range(lines):
            fields = about(log, message)
            fields.update(envelope=_ID, vmta="vmta-1", server="pmta-1", job="qw123er456ty7")
            fields.update(outcome="relayed", reply=str(reply))
            log.message(fields)
        between = time.thread_time()
        log.flush()
        made.append((between - started) / lines)
        written.append(time.thread_time() - between)
        await asyncio.sleep(0.001)
    assert not log.dropped
    return [min(made) * 1e6, min(written) * 1e6]


def _logging() -> list[float]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
        assert cat.stdin is not None
        log = Log(descriptor=cat.stdin.fileno(), process="worker-0")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(_logged(log))
        cat.stdin.close()
    return found


def main() -> None:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        # prometheus-client picks its mode when it is imported.
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}
            subprocess.run(
                [sys.executable, "-m", "tests.bench.hotpath"], env=environment, check=True
            )
        return
    for name, work in {**_cases(), **_counting()}.items():
        print(f"{name:34}{best(work):8.2f}", flush=True)
    made, written = _logging()
    print(f"{'a line of the log, made':34}{made:8.2f}\n{'ten lines, written':34}{written:8.2f}")


if __name__ == "__main__":
    main()
