"""The session's buffer: the same conversation whatever the slices it comes in."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from loadtest.pmta.accounting import Accounting
from loadtest.pmta.clock import Clock
from loadtest.pmta.config import Config
from loadtest.pmta.counts import Counts
from loadtest.pmta.delivery import Delivery
from loadtest.pmta.dialogue import Offer
from loadtest.pmta.intake import Intake
from loadtest.pmta.routing import Routing
from loadtest.pmta.server import Server
from loadtest.pmta.session import LONGEST_COMMAND
from loadtest.pmta.spool import Spool, Store

DIALOGUE = (
    b"EHLO x\r\nMAIL FROM:<a@t.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n.\r\n"
    b"MAIL FROM:<a@t.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n..a\r\n\n.\n\r\n.\n\r\n.\r\nNOOP\r\n"
)


class Wire(asyncio.Transport):
    """A transport that keeps each write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 25)})
        self.writes: list[bytes] = []
        self.closing = False
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


def session(frozen: bool = False, accounting: Accounting | None = None) -> tuple[Any, Wire, Spool]:
    routing, clock, counts, spool = Routing(Config()), Clock(), Counts(), Spool(Store.ALL)
    delivery = Delivery(routing, accounting, clock, counts, 1.0)
    intake = Intake(routing, clock, counts, spool, delivery)
    intake.faults.freeze = frozen
    server = Server(intake, Offer())
    made, wire = server._session(), Wire()
    made.connection_made(wire)
    return made, wire, spool


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 10_000])
async def test_any_slices_give_the_same_replies_and_messages(step: int) -> None:
    made, wire, spool = session()
    for start in range(0, len(DIALOGUE), step):
        made.data_received(DIALOGUE[start : start + step])
    lines = b"".join(wire.writes).decode().splitlines()
    codes = [line[:3] for line in lines if line[3] == " "]
    assert codes == ["220", "250", *["250", "250", "354", "250"] * 2, "250"]
    sizes = [message.size for message in spool.select()]
    assert sizes == [0, len(b".a\r\n\n.\n\r\n\n\r\n")]


async def test_a_pipelined_read_is_answered_by_one_write() -> None:
    made, wire, _ = session()
    made.data_received(DIALOGUE)
    assert len(wire.writes) == 2


async def test_a_receipt_reaches_the_file_before_the_250_leaves(tmp_path: Path) -> None:
    accounting = Accounting(tmp_path, Clock())
    made, wire, _ = session(accounting=accounting)
    there: list[int] = []

    def write(data: Any) -> None:
        there.append(accounting.path.read_bytes().count(b"\nr,") if b"2.6.0" in data else 0)

    wire.write = write  # type: ignore[method-assign]
    made.data_received(DIALOGUE)
    assert there == [2], "kill -9 now leaves no message taken without its receipt"
    accounting.close()


async def test_an_endless_command_closes_the_session() -> None:
    made, wire, _ = session()
    made.data_received(b"x" * (LONGEST_COMMAND + 1))
    assert wire.writes[-1].startswith(b"500 5.5.6")
    assert wire.closing


async def test_a_newcomer_meets_silence_while_frozen() -> None:
    made, wire, _ = session(frozen=True)
    assert wire.paused
    assert wire.writes == []
    made._intake.faults.freeze = False
    made._registry.freeze(False)
    assert not wire.paused
    assert wire.writes[0].startswith(b"220")


async def test_freezing_leaves_what_comes_in_the_kernel() -> None:
    made, wire, _ = session()
    made._registry.freeze(True)
    assert wire.paused
