"""What providers say of mail, counted by rule, day, IP and provider: the door's consumer.

Rule: the day is that of the record, not of the grant: a provider says what it thinks now. The
provider is who answered: a company's domain whose servers are Google's is refused by Google, also
before DNS has said whose they are.
Failure: the transaction is the door's; what was not committed is met again.
"""

from collections import Counter
from typing import Any, NamedTuple

from control.accounting.columns import storable
from control.accounting.door import Batch
from control.accounting.fact import Fact
from control.pmta.generator.providers import rolled_up
from control.statistics.owner import address_of, owners
from control.statistics.taking import IMPORT, mailbox
from control.store.database import Connection
from policy.address import normal_domain
from policy.identity import PROBE
from policy.limits import day_of
from policy.provider import OTHER, of_host, provider_of
from policy.replies.matcher import reply_rule
from policy.replies.rule import ReplyRule
from settings.statements import statements

_SQL = statements(__package__, "replies")

KINDS = frozenset({"b", "t", "tq"})
ACTIONS = frozenset({"pause", "backoff", "slow", "alert"})
"""Of those that are about the sender: addresses and full mailboxes are the recipient's."""


class _Heap(NamedTuple):
    day: int
    vmta: str
    source_ip: str
    provider: str
    rule: str


_Last = tuple[int, str]
"""When it was said last, and of which domain's mail."""
_NEVER: _Last = (0, "")


class Replies:
    """One a control process."""

    async def take(self, connection: Connection, batch: Batch, now: int) -> None:  # noqa: ARG002
        """As `control.accounting.door.Consumer`."""
        if batch.origin == IMPORT:
            return
        heaps: Counter[_Heap] = Counter()
        last: dict[_Heap, _Last] = {}
        rules: dict[str, ReplyRule] = {}
        for fact in batch.facts:
            found = _said(fact)
            if found is None:
                continue
            provider, rule = found
            heap = _Heap(
                *(day_of(fact.at), storable(fact.vmta), address_of(fact.source_ip)),
                *(provider, rule.name),
            )
            heaps[heap] += 1
            last[heap] = max(last.get(heap, _NEVER), (fact.at, _from(fact)))
            rules[rule.name] = rule
        if heaps:
            await self._keep(connection, heaps, last, rules)

    async def _keep(
        self,
        connection: Connection,
        heaps: Counter[_Heap],
        last: dict[_Heap, _Last],
        rules: dict[str, ReplyRule],
    ) -> None:
        known = await owners(
            connection, {heap.vmta for heap in heaps}, {heap.source_ip for heap in heaps}
        )
        rows: dict[tuple[int, str, str, str, str], tuple[int, _Last]] = {}
        for heap, count in heaps.items():
            owner = known.of(heap.day, heap.vmta, heap.source_ip)
            if not owner.tenant:
                continue
            key = (heap.day, owner.tenant, owner.ip, heap.provider, heap.rule)
            before, at = rows.get(key, (0, _NEVER))
            rows[key] = (before + count, max(at, last[heap]))
        if not rows:
            return
        keys = sorted(rows)
        columns = [list(column) for column in zip(*keys, strict=True)]
        of = [rules[key[-1]] for key in keys]
        await connection.execute(
            _SQL["add"],
            *columns,
            *([r.scope for r in of], [r.kind for r in of], [r.action for r in of]),
            [rows[key][0] for key in keys],
            *map(list, zip(*(rows[key][1] for key in keys), strict=True)),
        )


async def sweep(pool: Any, before: int) -> None:
    """Forget what was said before a day."""
    await pool.execute(_SQL["sweep"], before)


def _said(fact: Fact) -> tuple[str, ReplyRule] | None:
    """(provider, the rule that knows its reply), where the reply is about the sender."""
    if fact.kind not in KINDS or not fact.diagnosis or fact.envid.startswith(PROBE):
        return None
    provider = _provider(fact)
    rule = reply_rule(provider, fact.status, fact.diagnosis)
    return None if rule is None or rule.action not in ACTIONS else (provider, rule)


def _provider(fact: Fact) -> str:
    queue = _queue(fact)
    if not fact.rcpt and (rolled := rolled_up(queue)):
        return rolled
    domain = normal_domain(fact.rcpt.rpartition("@")[2].lower() or queue)
    of_domain = OTHER if domain is None else provider_of(domain)
    # A domain that is at no provider yet: `learn` has not heard of it, but its server has a name.
    return of_host(fact.mta.partition(" ")[0]) if of_domain == OTHER else of_domain


def _from(fact: Fact) -> str:
    """The domain of who wrote it, else of the return path."""
    return storable((mailbox(fact.author, fact.orig) or fact.orig).rpartition("@")[2].lower())


def _queue(fact: Fact) -> str:
    """The domain of `queue` (`gmail.com/vmta-7`, `gmail.rollup/vmta-7`): a tq record names no
    recipient."""
    named = dict(zip((name.lower() for name in fact.names), fact.fields, strict=False))
    return named.get("queue", "").partition("/")[0].lower()
