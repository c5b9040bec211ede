"""Any bytes of PowerMTA: Relayed only for a 2xx that answers the dot of that very message, refused
only in the words that answer its own commands, and a dot only where a 354 waits for it."""

import asyncio
import re

from hypothesis import event, given
from hypothesis import strategies as st

from gateway.relay.parcel import Parcel
from gateway.relay.wire import Session
from policy.outcome import Outcome, Refused, Relayed, Unknown
from tests.fuzz.budget import budget

THREE = b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"
TAKEN = b"250 2.6.0 taken\r\n"
HAZARD = b"250 2.1.0 ok\r\n550 5.1.1 no\r\n354 go\r\n"
NO = b"250 2.1.0 ok\r\n550 5.1.1 no\r\n503 5.5.1 no\r\n"
SAID = [
    b"250 ok\r\n", b"354 go\r\n", b"550 5.1.1 no\r\n", b"451 4.3.0 later\r\n", b"503 5.5.1 no\r\n",
    b"421 4.3.2 bye\r\n", b"250-a\r\n250 b\r\n", b"250-a\r\n550 b\r\n", b"25", b"0 ok\r\n", b"250-",
    b"\r\n", b"250 ok\n", b"250\r\n", b"100 x\r\n", b"999 x\r\n", b"250ok\r\n", b"250 a\rb\r\n",
    b"554 5.6.0 no\r\n", b"250 2.1.0 ok\r\n550 5.1.1 no\r\n503 5.5.1 no\r\n",
    b"250 2.1.0 ok\r\n550 5.1.1 no\r\n354 go\r\n", b"250 \x00\xff\r\n", b"250 " + b"x" * 3000,
]  # fmt: skip
chunks = st.one_of(
    st.just(THREE),
    st.sampled_from([THREE, NO, HAZARD]),
    st.just(TAKEN),
    st.sampled_from(SAID),
    st.binary(max_size=4),
)
talk = st.lists(st.tuples(st.integers(0, 4), chunks), max_size=14)


class Line(asyncio.Transport):
    """Both directions in the order in which they happened."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, bytes]] = []
        self.session: Session
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.log.append(("sent", bytes(data)))

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True

    close = abort

    def say(self, data: bytes) -> None:
        if not self._closing:
            self.log.append(("came", data))
            self.session.data_received(data)

    def hang_up(self) -> None:
        self._closing = True
        self.session.connection_lost(None)


def parcel(number: int) -> Parcel:
    return Parcel(
        message=f"m{number}",
        mail=b"MAIL FROM:<a%d@x.test>\r\n" % number,
        rcpts=(b"RCPT TO:<b%d@y.test>\r\n" % number,),
        head=b"x-virtual-mta: v%d\r\n\r\n" % number,
        body=b"hello\r\n",
    )


def paired(log: list[tuple[str, bytes]]) -> dict[tuple[int, str], tuple[int, bytes]]:
    """A simple reading of the log: (message, stage) to (code, first line) while all is in step."""
    waiting: list[tuple[int, str]] = []
    pairs: dict[tuple[int, str], tuple[int, bytes]] = {}
    message, rest, lines = -1, b"", list[bytes]()
    for direction, data in log:
        if direction == "sent":
            if data.endswith(b"\r\n.\r\n"):
                waiting.append((message, "dot"))
                continue
            for command in data.split(b"\r\n")[:-1]:
                verb = command[:4].decode().lower()
                if verb in ("mail", "rset"):
                    message += verb == "mail"
                waiting.append((message + (verb == "rset"), verb))
            continue
        rest += data
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            line = line.removesuffix(b"\r")
            if not re.fullmatch(rb"[2-5][0-9][0-9](?:[ -][^\r]*)?", line) or len(line) > 2048:
                return pairs
            if lines and lines[0][:3] != line[:3]:
                return pairs
            lines.append(line)
            if line[3:4] == b"-":
                continue
            if not waiting:
                return pairs
            pairs[waiting.pop(0)] = (int(line[:3]), lines[0])
            lines = []
        if (rest or lines) and (not waiting or len(rest) > 2048):
            return pairs
    return pairs


async def converse(said: list[tuple[int, bytes]]) -> tuple[list[Outcome], Line, list[Outcome]]:
    line = Line()
    session = Session(
        name="pmta",
        extensions=frozenset({"PIPELINING"}),
        suppression=re.compile("suppress"),
        lost=lambda session: None,
    )
    line.session = session
    session.connection_made(line)

    async def speak() -> None:
        for turns, data in said:
            for _ in range(turns):
                await asyncio.sleep(0)
            line.say(data)
        for _ in range(8):
            await asyncio.sleep(0)
        if not line.is_closing():
            line.hang_up()

    speaking = asyncio.create_task(speak())
    outcomes: list[Outcome] = []
    late: list[Outcome] = []
    deadline = asyncio.get_running_loop().time() + 10
    while session.usable and len(outcomes) < 6:
        outcomes.append(
            await session.transact(
                parcel(len(outcomes)), deadline=deadline, fresh=lambda: True, late=late.append
            )
        )
    await speaking
    return outcomes, line, late


@budget()
@given(said=talk)
def test_every_outcome_is_what_its_own_replies_say(
    runner: asyncio.Runner, said: list[tuple[int, bytes]]
) -> None:
    outcomes, line, late = runner.run(converse(said))
    pairs = paired(line.log)
    assert late == []
    dots = [
        data for direction, data in line.log if direction == "sent" and data[-5:] == b"\r\n.\r\n"
    ]
    dotted = 0
    for number, outcome in enumerate(outcomes):
        code = {stage: pairs.get((number, stage), (0, b""))[0] for stage in _STAGES}
        ready = all(200 <= code[s] < 300 for s in ("mail", "rcpt")) and code["data"] == 354
        sent = any(b"v%d\r\n" % number in data for data in dots)
        dotted += sent
        assert ready or not sent, (number, pairs)
        if isinstance(outcome, Relayed):
            assert sent
            assert 200 <= code["dot"] < 300, (number, pairs)
        if sent and 200 <= code["dot"] < 300:
            assert isinstance(outcome, Relayed), (number, outcome)
        if isinstance(outcome, Refused):
            said_there, text = pairs[number, outcome.stage.value]
            assert said_there == outcome.reply.code >= 500
            assert outcome.reply.text.split("\n")[0] in text.decode("utf-8", "replace")
        if isinstance(outcome, Unknown):
            assert sent
            assert not 400 <= code["dot"] < 600
        event(type(outcome).__name__)
    assert dotted == len(dots)


_STAGES = ("mail", "rcpt", "data", "dot")
