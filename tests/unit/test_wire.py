"""One session to PowerMTA against a scripted peer: pairing, the dot, lost connections."""

import asyncio
import gc
import re
import time
import weakref
from collections.abc import Callable
from functools import partial

import pytest

from gateway.relay.parcel import Parcel
from gateway.relay.verdicts import Divided, Verdict
from gateway.relay.wire import Progress, Session
from policy.outcome import Asked, Failed, Outcome, Refused, Relayed, Scope, Unknown

PARCEL = Parcel(
    message="m1",
    mail=b"MAIL FROM:<a@x.test>\r\n",
    rcpts=(b"RCPT TO:<b@y.test>\r\n",),
    head=b"x-virtual-mta: v\r\nFrom: a@x.test\r\n\r\n",
    body=b"hello\r\n",
)
THREE = b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"
SOON = 0.3
"""Seconds within which what needs no waiting is done, on a busy machine too."""


class Peer(asyncio.Transport):
    """Answers each write by the script: bytes to say, None to hang up, ... to stay silent."""

    def __init__(self, *script: object) -> None:
        super().__init__()
        self.script = list(script)
        self.heard: list[bytes] = []
        self.session: Session
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.heard.append(bytes(data))
        step = self.script.pop(0) if self.script else ...
        loop = asyncio.get_running_loop()
        if isinstance(step, bytes):
            loop.call_soon(self.session.data_received, step)
        elif step is None:
            self.closing = True
            loop.call_soon(self.session.connection_lost, None)

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def close(self) -> None:
        self.closing = True

    @property
    def dots(self) -> int:
        return sum(data.endswith(b"\r\n.\r\n") or data == b".\r\n" for data in self.heard)


def session(peer: Peer, extensions: frozenset[str] = frozenset({"PIPELINING"})) -> Session:
    lost: list[Session] = []
    made = Session(
        name="pmta", extensions=extensions, suppression=re.compile("suppress"), lost=lost.append
    )
    made.connection_made(peer)
    peer.session = made
    return made


async def transact(
    made: Session,
    parcel: Parcel = PARCEL,
    *,
    budget: float = 1.0,
    fresh: Callable[[], bool] = lambda: True,
    late: Callable[[Outcome], None] = lambda outcome: None,
    divided: Divided | None = None,
) -> Outcome:
    deadline = asyncio.get_running_loop().time() + budget
    return await made.transact(parcel, deadline=deadline, fresh=fresh, late=late, divided=divided)


async def test_one_recipient_takes_two_writes() -> None:
    peer = Peer(THREE, b"250 2.6.0 queued\r\n")
    outcome = await transact(session(peer))
    assert isinstance(outcome, Relayed)
    assert peer.heard == [
        PARCEL.mail + PARCEL.rcpts[0] + b"DATA\r\n",
        PARCEL.head + PARCEL.body + b".\r\n",
    ]
    assert peer.session.usable


async def test_without_pipelining_every_command_waits() -> None:
    ok = b"250 ok\r\n"
    peer = Peer(ok, ok, b"354 go\r\n", ok)
    assert isinstance(await transact(session(peer, frozenset())), Relayed)
    assert [data.split()[0] for data in peer.heard[:3]] == [b"MAIL", b"RCPT", b"DATA"]


async def test_several_recipients_wait_for_every_answer_before_data() -> None:
    many = Parcel("m", PARCEL.mail, PARCEL.rcpts * 3, PARCEL.head, PARCEL.body)
    peer = Peer(b"250 ok\r\n" * 3 + b"550 5.1.1 no\r\n", b"250 reset\r\n", THREE, b"250 ok\r\n")
    made = session(peer)
    refused = await transact(made, many)
    assert isinstance(refused, Refused)
    assert b"DATA" not in peer.heard[0]
    assert isinstance(await transact(made), Relayed)
    assert peer.heard[1] == b"RSET\r\n"


ONE_BAD = b"250 ok\r\n" * 2 + b"550 5.1.1 no\r\n" + b"250 ok\r\n"
MANY = Parcel("m", PARCEL.mail, PARCEL.rcpts * 3, PARCEL.head, PARCEL.body)


class Divider:
    """Answers the session's question as it is told to."""

    def __init__(self, said: str | None = "") -> None:
        self.said = said
        self.asked: list[list[str]] = []
        self.go_on: Callable[[str], None] = print

    def __call__(self, verdicts: tuple[Verdict, ...], go_on: Callable[[str], None]) -> None:
        self.asked.append([type(verdict).__name__ for verdict in verdicts])
        self.go_on = go_on
        if self.said is not None:
            asyncio.get_running_loop().call_soon(go_on, self.said)


@pytest.mark.parametrize("pipelined", [True, False])
async def test_the_accepted_recipients_get_it_once_the_others_are_kept(pipelined: bool) -> None:
    steps: list[object] = (
        [ONE_BAD] if pipelined else [line + b"\r\n" for line in ONE_BAD.split(b"\r\n")[:4]]
    )
    peer = Peer(*steps, b"354 go\r\n", b"250 2.6.0 queued\r\n")
    divider = Divider()
    made = session(peer, frozenset({"PIPELINING"}) if pipelined else frozenset())
    assert isinstance(await transact(made, MANY, divided=divider), Relayed)
    assert divider.asked == [["NoneType", "Refused", "NoneType"]]
    assert peer.heard[-2:] == [b"DATA\r\n", PARCEL.head + PARCEL.body + b".\r\n"]
    assert made.usable


async def test_nobody_gets_it_when_the_others_could_not_be_kept() -> None:
    peer = Peer(ONE_BAD, b"250 reset\r\n", THREE, b"250 ok\r\n")
    made = session(peer)
    outcome = await transact(made, MANY, divided=Divider("the hold is away"))
    assert outcome == Failed("the hold is away", Scope.MESSAGE, asked=Asked.SESSION)
    assert peer.dots == 0
    assert isinstance(await transact(made), Relayed)
    assert peer.heard[1] == b"RSET\r\n"


async def test_what_was_divided_is_not_offered_to_another_session() -> None:
    """It is committed by then, and another session might accept others."""
    peer = Peer(THREE, b"250 ok\r\n", ONE_BAD, b"421 4.3.2 bye\r\n")
    made = session(peer)
    assert isinstance(await transact(made), Relayed)
    outcome = await transact(made, MANY, divided=Divider())
    assert outcome == Failed(
        "data: 421 4.3.2 bye before the dot", Scope.MESSAGE, asked=Asked.SESSION
    )
    assert not made.stale


async def test_an_answer_about_the_others_that_comes_too_late_sends_nothing() -> None:
    peer = Peer(ONE_BAD)
    made = session(peer)
    divider = Divider(None)
    outcome = await transact(made, MANY, budget=0.05, divided=divider)
    assert isinstance(outcome, Failed)
    divider.go_on("")
    assert peer.heard == [MANY.mail + b"".join(MANY.rcpts)]


@pytest.mark.parametrize(
    ("replies", "wanted"),
    [
        # Nobody was accepted: what may pass answers for all, or the deferred one would bounce.
        ((b"550 5.1.1 no", b"451 4.2.1 later", b"550 5.1.1 no"), "rcpt: 451 4.2.1 later"),
        ((b"550 5.1.1 no", b"550 5.1.2 nor", b"552 5.2.2 full"), "550 5.1.1 no"),
        # The end of the channel says nothing of recipients.
        ((b"250 ok", b"451 4.2.1 later", b"421 4.3.2 bye"), "rcpt: 421 4.3.2 bye before the dot"),
    ],
)
async def test_without_a_division_one_refusal_answers_for_all(
    replies: tuple[bytes, ...], wanted: str
) -> None:
    peer = Peer(b"250 ok\r\n" + b"".join(reply + b"\r\n" for reply in replies))
    divider = Divider()
    outcome = await transact(session(peer), MANY, divided=divider)
    said = str(outcome.reply) if isinstance(outcome, Refused) else getattr(outcome, "why", "")
    assert (said, divider.asked) == (wanted, [])
    assert b"DATA" not in b"".join(peer.heard)


@pytest.mark.parametrize("step", [1, 2, 7])
async def test_replies_may_come_in_any_slices(step: int) -> None:
    peer = Peer()
    made = session(peer)
    task = asyncio.create_task(transact(made))
    await asyncio.sleep(0)
    for start in range(0, len(THREE), step):
        made.data_received(THREE[start : start + step])
        await asyncio.sleep(0)
    made.data_received(b"250 2.6.0 ok\r\n")
    assert isinstance(await task, Relayed)


async def test_hazard_9_no_dot_after_a_354_that_follows_a_refusal() -> None:
    peer = Peer(b"250 ok\r\n550 5.1.1 no\r\n354 go\r\n")
    made = session(peer)
    outcome = await transact(made)
    assert isinstance(outcome, Refused)
    assert peer.dots == 0
    assert made.progress is Progress.CLOSED


@pytest.mark.parametrize(
    ("script", "kind", "dots"),
    [
        ([b"451 4.3.0 x\r\n503 x\r\n503 x\r\n"], Failed, 0),
        ([b"250 ok\r\n250 ok\r\n451 x\r\n"], Failed, 0),
        ([b"250 ok\r\n250 ok\r\n250 what\r\n"], Failed, 0),
        ([None], Failed, 0),
        ([b"250 ok\r\n"], Failed, 0),
        ([THREE, b"451 4.3.0 x\r\n"], Failed, 1),
        ([THREE, b"554 5.6.0 x\r\n"], Refused, 1),
        ([THREE, b"421 4.3.2 x\r\n"], Failed, 1),
        ([THREE, None], Unknown, 1),
        ([THREE], Unknown, 1),
        ([THREE, b"garbage\r\n"], Unknown, 1),
        ([THREE, b"354 again\r\n"], Unknown, 1),
        ([THREE, b"250-" + b"x" * 3000 + b"\r\n"], Unknown, 1),
        ([b"hello\r\n"], Failed, 0),
        ([THREE + b"250 unasked\r\n"], Failed, 0),
    ],
)
async def test_every_ending_has_its_class(
    script: list[object], kind: type[Outcome], dots: int
) -> None:
    peer = Peer(*script)
    outcome = await transact(session(peer), budget=SOON)
    assert isinstance(outcome, kind), outcome
    assert peer.dots == dots


async def test_a_lost_session_does_not_make_the_next_message_unknown() -> None:
    """The dot of the message before was answered; a session found dead says nothing of it."""
    peer = Peer(THREE, b"250 ok\r\n", None)
    made = session(peer)
    assert isinstance(await transact(made), Relayed)
    outcome = await transact(made)
    assert isinstance(outcome, Failed)
    assert made.stale


async def test_a_reply_in_the_moment_of_the_time_out_is_believed() -> None:
    """Anything else would give back the charge of a delivered message and have it sent again.

    The reply and the timer fall into one turn of the loop, the reply first."""
    peer = Peer(THREE)
    made = session(peer)
    task = asyncio.create_task(transact(made, budget=SOON))
    async with asyncio.timeout(5):
        while not peer.dots:
            await asyncio.sleep(0)
    due = time.monotonic() + SOON + 0.01
    while time.monotonic() < due:
        pass  # the loop gets no turn until the timer is due
    made.data_received(b"250 2.6.0 taken\r\n")
    assert isinstance(await task, Relayed)
    assert made.usable


async def test_a_reply_right_after_the_time_out_is_never_a_failure() -> None:
    heard: list[Outcome] = []
    peer = Peer(THREE)
    made = session(peer)
    task = asyncio.create_task(transact(made, budget=SOON, late=heard.append))
    async with asyncio.timeout(5):
        while not peer.dots:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while made.progress is Progress.DOT:
            await asyncio.sleep(0)
    # Its waiter has not been told of the time-out yet.
    assert not task.done()
    made.data_received(b"250 2.6.0 taken\r\n")
    outcome = await task
    assert isinstance(outcome, Unknown)
    assert [type(one) for one in heard] == [Relayed]


async def test_an_idle_session_keeps_nothing_of_its_last_message() -> None:
    class Content:
        """Stands for what the callbacks of a message know."""

    content = Content()
    known = weakref.ref(content)
    made = session(Peer(THREE, b"250 ok\r\n"))
    outcome = await transact(
        made,
        fresh=partial(bool, content),
        late=lambda _, held=content: None,  # type: ignore[misc]
    )
    assert isinstance(outcome, Relayed)
    del content
    gc.collect()
    assert known() is None


async def test_bytes_nobody_asked_for_close_an_idle_session() -> None:
    for unasked in (b"250 surprise\r\n", b"2"):
        peer = Peer(THREE, b"250 ok\r\n")
        made = session(peer)
        await transact(made)
        made.data_received(unasked)
        assert not made.usable
        assert "unsolicited" in made.why_lost


async def test_an_answer_that_comes_late_is_told_once_and_ends_the_session() -> None:
    heard: list[Outcome] = []
    peer = Peer(THREE)
    made = session(peer)
    outcome = await transact(made, budget=SOON, late=heard.append)
    assert isinstance(outcome, Unknown)
    assert made.progress is Progress.OWES
    made.data_received(b"554 5.6.0 no\r\n")
    await asyncio.sleep(0)
    assert [type(one) for one in heard] == [Refused]
    assert made.progress is Progress.CLOSED


async def test_a_session_that_is_given_up_settles_nothing() -> None:
    heard: list[Outcome] = []
    made = session(Peer(THREE))
    await transact(made, budget=SOON, late=heard.append)
    made.close("gave up")
    await asyncio.sleep(0)
    assert heard == []


async def test_hazard_8_an_old_grant_gets_no_mail_and_no_dot() -> None:
    peer = Peer(THREE, b"250 ok\r\n")
    made = session(peer)
    outcome = await transact(made, fresh=lambda: False)
    assert isinstance(outcome, Failed)
    assert outcome.scope is Scope.MESSAGE
    assert peer.heard == []
    answers = iter([True, False])
    outcome = await transact(made, fresh=lambda: next(answers))
    assert isinstance(outcome, Failed)
    assert peer.dots == 0
    assert not made.usable


async def test_an_earlier_deadline_than_the_last_messages_is_kept() -> None:
    peer = Peer(THREE, b"250 ok\r\n")
    made = session(peer)
    assert isinstance(await transact(made, budget=30.0), Relayed)
    async with asyncio.timeout(5):
        assert isinstance(await transact(made, budget=0.02), Failed)


async def test_a_server_without_a_word_is_not_taken_for_a_session_that_died_of_age() -> None:
    made = session(Peer())
    assert isinstance(await transact(made, budget=0.02), Failed)
    assert not made.usable
    assert not made.stale


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([b"421 4.3.2 bye\r\n"], "mail: 421 4.3.2 bye"),
        ([b"421 4.3.2 bye\r\n503 x\r\n503 x\r\n"], "mail: 421 4.3.2 bye"),
        ([b"250 ok\r\n421 4.3.2 bye\r\n"], "rcpt: 421 4.3.2 bye"),
        ([b"250 ok\r\n250 ok\r\n421 4.3.2 bye\r\n"], "data: 421 4.3.2 bye"),
    ],
)
async def test_a_421_before_the_dot_ends_the_channel_and_is_no_verdict(
    script: list[object], said: str
) -> None:
    """RFC 5321 section 3.8; the server may close right behind it, without the other replies."""
    peer = Peer(THREE, b"250 ok\r\n", *script)
    made = session(peer)
    assert isinstance(await transact(made), Relayed)
    outcome = await transact(made)
    assert isinstance(outcome, Failed)
    assert outcome.why == f"{said} before the dot"
    assert (made.stale, made.farewell, peer.dots) == (True, said, 1)


@pytest.mark.parametrize("said", [b"421 4.3.2 bye", b"500 what"])
async def test_a_refused_rset_is_no_verdict_about_the_next_message(said: bytes) -> None:
    peer = Peer(b"250 ok\r\n550 5.1.1 no\r\n503 x\r\n", said + b"\r\n")
    made = session(peer)
    assert isinstance(await transact(made), Refused)
    assert made.usable
    assert isinstance(await transact(made), Failed)
    assert (made.stale, made.farewell) == (True, f"rset: {said.decode()}")


async def test_a_421_to_the_dot_is_the_messages() -> None:
    made = session(Peer(THREE, b"421 4.3.2 bye\r\n"))
    outcome = await transact(made)
    assert isinstance(outcome, Failed)
    assert not made.stale


async def test_a_421_while_idle_is_remembered_as_its_words() -> None:
    peer = Peer(THREE, b"250 ok\r\n")
    made = session(peer)
    assert isinstance(await transact(made), Relayed)
    made.data_received(b"421 4.4.2 idle for too long\r\n")
    assert made.progress is Progress.CLOSED
    assert made.farewell == "421 4.4.2 idle for too long"


class Breathless(Peer):
    """Says within every write of content that it takes no more, and that it takes more again."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        if len(self.heard) > 1:
            self.session.pause_writing()
            self.session.resume_writing()


async def test_a_large_body_is_whole_when_the_transport_breathes_within_a_write() -> None:
    body = b"x" * 998 + b"\r\n"
    large = Parcel("m", PARCEL.mail, PARCEL.rcpts, PARCEL.head, body * 1000)
    peer = Breathless(THREE)
    outcome = await transact(session(peer), large, budget=SOON)
    assert isinstance(outcome, Unknown)
    assert b"".join(peer.heard[1:]) == PARCEL.head + body * 1000 + b".\r\n"
