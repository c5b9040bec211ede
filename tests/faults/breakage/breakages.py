"""One function for each mechanism that can be taken out: called in the gateway's children before
anything runs. Each makes the books show what the mechanism prevents.

Imports are inside: each breakage touches what it breaks and nothing else.
"""

from typing import Any


def refund_what_was_relayed() -> None:
    """A charge is given back although PowerMTA took the message: the quota is exceeded."""
    from gateway.delivery.attempt import Attempt
    from policy.outcome import Outcome, Relayed

    settle = Attempt._settle

    def broken(self: Attempt, outcome: Outcome) -> None:
        settle(self, outcome)
        if isinstance(outcome, Relayed):
            self.refund()

    Attempt._settle = broken  # type: ignore[method-assign]


def acknowledge_the_unknown() -> None:
    """A lost reply is taken for a delivery: a message is acknowledged and lost."""
    from gateway.delivery.delivery import Delivery
    from policy.reply import Reply

    async def broken(self: Delivery, attempt: Any, outcome: Any) -> Reply:
        return Reply(250, "2.0.0", "OK")

    Delivery._unknown = broken  # type: ignore[method-assign]


def acknowledge_before_the_commit() -> None:
    """The client hears 250 while the row is on its way: a dying database takes it along."""
    from asyncio import get_running_loop

    from gateway.hold.keep.store import Store
    from gateway.hold_port import Keeping, Kept

    keep = Store.keep
    early = set()

    async def broken(self: Store, keeping: Keeping, now: int, within: float) -> Kept:
        task = get_running_loop().create_task(keep(self, keeping, now, within))
        early.add(task)
        task.add_done_callback(early.discard)
        return Kept.KEPT

    Store.keep = broken  # type: ignore[method-assign]


def divide_without_a_commit() -> None:
    """The accepted recipients get the message before the refused ones are kept: those are
    acknowledged and lost."""
    from gateway.delivery.division import Division
    from gateway.hold_port import Kept

    async def broken(self: Division, go_on: Any) -> Kept:
        go_on("")
        return Kept.KEPT

    Division._keep = broken  # type: ignore[method-assign]


def skip_the_tombstone() -> None:
    """A commit nobody answered is taken for one that never happened: it happens later."""
    from gateway.hold.keep.store import Store

    async def broken(self: Store, batch: list[Any], deadline: float) -> list[Any]:
        self._give_up(batch)
        return []

    Store._settle = broken  # type: ignore[method-assign]


def trust_every_grant() -> None:
    """A grant is used however old it is, and a relay may take for ever: yesterday's is spent
    today."""
    from gateway.delivery.attempt import Attempt, Attempts

    relay = Attempt.relay

    async def broken(self: Attempt, deadline: float, late: Any, divided: Any = None) -> Any:
        return await relay(self, deadline + 3600.0, late, divided)

    Attempt.relay = broken  # type: ignore[method-assign]
    Attempts.fresh = lambda self, asked: True  # type: ignore[method-assign]


def forget_duplicate_keys() -> None:
    """Nothing is known to be a copy: what a client repeats goes twice."""
    from gateway.delivery import screening

    door: Any = screening
    identify = door.identify

    def broken(*arguments: Any) -> Any:
        return identify(*arguments)._replace(key="")

    door.identify = broken


def release_what_the_gone_had_claimed() -> None:
    """A claim of a dead releaser is simply held again: what it had sent goes twice."""
    from gateway.hold.upkeep import presence

    door: Any = presence
    door._GONE = door._GONE.replace("SET state = 'doubt'", "SET state = 'held'")


def share_the_codec() -> None:
    """One zstd context serves the event loop and the threads beside it: contents are corrupted, and
    so is the heap."""
    from gateway.hold.keep import content

    class Shared:
        def __init__(self, secrets: Any) -> None:
            del secrets
            self.pack = content.zstandard.ZstdCompressor(level=1).compress
            self.unpack = content.zstandard.ZstdDecompressor().decompress
            self.keys: dict[str, Any] = {}

    content._Native = Shared  # type: ignore[misc, assignment]


def trust_the_line_for_ever() -> None:
    """Nobody looks whether the ledger's name leads elsewhere: two servers count, each to the whole
    quota."""
    from policy.ledger.lease import Lease

    async def nothing(self: Lease) -> Any:
        raise OSError("nobody asks")

    Lease.ask = nothing  # type: ignore[method-assign]
    Lease.valid = True  # type: ignore[method-assign, assignment]


def keep_connections_to_a_standby() -> None:
    """A server that takes no writes is a server like any other: what has to wait is deferred long
    after the name leads to the primary again."""
    from gateway.hold import database, primary

    primary.WRITABLE.clear()

    async def nobody(connection: Any, whole: str) -> primary.Server:
        del connection, whole
        return primary.Server("", "")

    door: Any = database
    door.server_of = nobody
    door._READ_ONLY = "none"


def forget_refunds() -> None:
    """Nothing is ever given back: no promise is broken, and the books must stay clean."""
    from gateway.ledger.reserve import Reserver

    Reserver.refund = lambda self, charge: None  # type: ignore[method-assign]


def blame_every_failure() -> None:
    """Whatever failed is charged to the message: a day without PowerMTA ends it."""
    from gateway.hold.release import release
    from policy.outcome import Failed

    door: Any = release
    settlement = door.settlement

    def broken(bucket: int, row: str, attempt: int, outcome: Any, **named: Any) -> Any:
        if isinstance(outcome, Failed):
            outcome = Failed(outcome.why, outcome.scope)
        return settlement(bucket, row, attempt, outcome, **{**named, "own": True})

    door.settlement = broken


def never_probe_with_what_failed_last() -> None:
    """The message that failed last is no probe for ever: alone, it never goes again."""
    from gateway.relay.circuit import Circuit

    blocked = Circuit.blocked

    def broken(self: Circuit, message: str, now: float) -> bool:
        return blocked(self, message, now) or (self.state != "closed" and message == self._last)

    Circuit.blocked = broken  # type: ignore[method-assign]


def judge_a_copy_by_its_first_for_ever() -> None:
    """What a row stands behind is believed in every doubt it is ever in (the test lets the column
    outlive its state): a copy that went, and whose answer was lost, goes again and again."""
    from gateway.hold.settle.proof import Doubt

    door: Any = Doubt
    together, alone = door.together.fget, door.alone.fget
    door.together = property(lambda self: None if self.behind else together(self))
    door.alone = property(lambda self: None if self.behind else alone(self))


def take_a_rows_id_for_the_messages() -> None:
    """Records are looked for under a row's id, and PowerMTA writes those of several recipients
    under their message's: what it has is proved absent, and goes again."""
    from gateway.hold.settle.proof import Doubt

    door: Any = Doubt
    door.together = property(lambda self: None)
    door.alone = property(lambda self: (self.id, 0, 0))


def overlook_missing_files() -> None:
    """What the names of accounting files say is not looked at: a receipt that was never read proves
    an absence, and the message goes again."""
    from control.accounting.continuity import Between, Continuity

    Continuity.between = lambda self, file: Between([], proved=True)  # type: ignore[method-assign]


def take_every_server_for_known() -> None:
    """A PostgreSQL that took over is written down as the one of before, and nothing is doubted:
    what went on its predecessor goes again."""
    from control import duty
    from control.ledger import failover
    from policy.ledger.admin import LedgerAdmin
    from policy.ledger.witness import beats

    async def broken(pool: Any, admin: LedgerAdmin, *, synchronous: bool) -> str:
        await pool.execute(failover._SQL["record"], await beats(admin))
        return ""

    duty.judge = broken  # type: ignore[attr-defined]
