"""The two questions about a message, answered from plan, ledger, hold, receipts and outcomes."""

from collections.abc import Awaitable, Callable
from typing import Any

from control import kinds
from control.explain.explanation import Explanation, Question, asked, explanation
from control.explain.fate import Fate, fate, proved, told
from control.held.filter import message_id
from control.held.forecast import turn
from control.held.held import OPEN, HeldView, held_view, moment
from control.held.look import Hold
from control.ledger.opening import Opening
from control.messages.search import MessageFilter, Search
from control.plan.inforce import in_force
from control.plan.publish import Publisher
from control.plan.rows import TenantRow
from control.pmta.circuit import circuits_view, sentences
from control.problem import RefusedError, away
from policy.denial import Denied
from policy.duplicate import recipient_digest
from policy.ledger.admin import LedgerAdmin
from policy.ledger.ledger import RedisLedger
from policy.ledger_port import Granted, LedgerAwayError, LedgerClosedError

Tenants = Callable[[list[str]], Awaitable[list[TenantRow]]]
"""Those of these names."""


class Answers:
    """`largest`: octets of the largest message the gateway takes."""

    def __init__(
        self,
        publisher: Publisher,
        tenants: Tenants,
        hold: Hold,
        opening: Opening,
        admin: LedgerAdmin,
        ledger: RedisLedger,
        search: Search,
        *,
        largest: int,
    ) -> None:
        self._publisher = publisher
        self._tenants = tenants
        self._hold = hold
        self._opening = opening
        self._admin = admin
        self._ledger = ledger
        self._search = search
        self._largest = largest

    async def would(self, question: Question) -> Explanation:
        """Where a message would go now, and why. Raises RefusedError."""
        generation = await in_force(self._publisher)
        found = asked(generation, question)
        if question.size is not None and question.size > self._largest:
            return Explanation(
                decision="refuse",
                sentence=f"{question.size} octets are more than the gateway takes "
                f"({self._largest})",
                change="raise gateway.max_message_size, and PowerMTA's own limit",
                pool=found.pool.name,
                pool_why=found.pool_why,
                mailbox=found.mailbox,
                provider=found.provider,
                generation=generation.number,
            )
        await self._opening.must_be_open()
        # Some process would meet each of them: what goes in spite of all goes in any.
        circuits = sentences(circuits_view(await self._admin.circuits()))
        try:
            answer = await self._ledger.decide([found.reserve(circuits)])
        except LedgerClosedError as error:
            raise RefusedError(
                f"{error}; see `sendgate ledger status`", kind=kinds.LEDGER_CLOSED
            ) from error
        except LedgerAwayError as error:
            raise away("the ledger", error) from error
        decision = answer.decisions[0]
        assert isinstance(decision, Granted | Denied)  # a dry question has no key
        ips = [v.ip for v in generation.vmtas]
        now, usage = await self._admin.usage(ips)
        closed = await self._opening.closed_ips()
        return explanation(generation, found, decision, usage, now, circuits, closed)

    async def became(self, given: str, tenant: str | None) -> Fate:
        """What a message waits for, or how it ended; by message id or envelope id. Raises
        RefusedError."""
        found = await self._known(given, tenant)
        if found.found != "unknown":
            return found
        page = await self._search(MessageFilter(message=message_id(given), tenant=tenant))
        return told(given, page.messages) if page.messages else found

    async def _known(self, given: str, tenant: str | None) -> Fate:
        """By the hold and the accounting."""
        name = message_id(given)
        record, records = await self._hold.trace(name, tenant)
        if record is None and tenant is not None:
            # A receipt does not say whose it is.
            return fate(given, None, [])
        proofs = proved(records if record is None else _of_recipient(records, record))
        if record is None or record["state"] not in OPEN:
            return fate(given, held_view(record) if record else None, proofs)
        held = held_view(record)
        owners = await self._tenants([held.tenant])
        paused = any(held.campaign in owner.paused_campaigns for owner in owners)
        before, forecast = None, ""
        if held.state == "held" and not held.paused and not paused:
            before, forecast = await self._place(held, record["arrived"])
        at, closed = moment(await self._hold.now()), await self._closed(held.pool)
        return fate(
            *(given, held, proofs),
            now=at,
            closed=closed,
            campaign_paused=paused,
            before=before,
            forecast=forecast,
        )

    async def _closed(self, pool: str) -> list[str]:
        """IPs of the pool that lost today's counts."""
        found = await self._opening.closed_ips()
        generation = await self._publisher.current() if found else None
        if generation is None or (its := generation.pool.get(pool)) is None:
            return []
        return sorted({generation.vmta[name].ip for name in its.members} & found.keys())

    async def _place(self, held: HeldView, arrived: int) -> tuple[int, str]:
        """(how many go first, when its turn comes)."""
        before, records = await self._hold.queue(held, arrived)
        generation = await self._publisher.current()
        if generation is None:
            return before, ""
        group = held.pool, held.provider
        return before, turn(records, generation, held.tenant, group, before, await self._hold.now())


def _of_recipient(records: list[Any], row: Any) -> list[Any]:
    """Without those of other recipients: an envelope id may name several."""
    if row["id"] == row["body"]:
        return records
    mine = recipient_digest(row["recipient"])
    return [r for r in records if not r["recipients"] or mine in r["recipients"]]
