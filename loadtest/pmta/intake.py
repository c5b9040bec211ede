"""The intake: what happens between the final dot and its reply.

Source: PowerMTA 5.0 User's Guide, x-virtual-mta, x-job, x-envid (values, removal, refusal).
A message is taken (spooled, counted, recorded) or refused whole.
"""

from loadtest.pmta import headers
from loadtest.pmta.clock import Clock
from loadtest.pmta.counts import Counts, IllegalDot
from loadtest.pmta.delivery import Delivery
from loadtest.pmta.envelope import Envelope
from loadtest.pmta.faults import Faults
from loadtest.pmta.message import Message
from loadtest.pmta.peer import Peer
from loadtest.pmta.routing import Routing
from loadtest.pmta.source import Rules
from loadtest.pmta.spool import Spool

TAKEN = b"250 2.6.0 message received\r\n"


class Intake:
    """Takes messages. `routing` and `faults` are replaced whole when they change."""

    def __init__(
        self, routing: Routing, clock: Clock, counts: Counts, spool: Spool, delivery: Delivery
    ) -> None:
        self.routing = routing
        self.faults = Faults()
        self.counts = counts
        self._clock = clock
        self._spool = spool
        self._delivery = delivery
        self._last_id = 0
        self._removals: dict[int, frozenset[bytes]] = {}

    def load(self, routing: Routing) -> None:
        """Use `routing` from the next message on."""
        self.routing = routing
        self._delivery.routing = routing
        self._removals.clear()

    def illegal_dot(self, envelope: Envelope, size: int) -> None:
        """Record a dot that should never have been sent."""
        accepted = [recipient.address for recipient in envelope.recipients]
        self.counts.illegal_dots.append(
            IllegalDot(
                self._clock.now(),
                envelope.mail_from,
                envelope.refused,
                accepted,
                envelope.envid,
                size,
            )
        )

    def take(self, envelope: Envelope, raw: bytes, peer: Peer) -> bytes:
        """Take message `raw` (dots unstuffed) or refuse it; the reply to its dot."""
        rules = self.routing.rules(peer.address)
        found = headers.scan(raw)
        wanted = found.virtual_mtas if rules.process_x_virtual_mta else []
        name = wanted[0] if wanted else rules.default_virtual_mta
        route = None
        if name or not wanted or rules.allow_empty_x_virtual_mta:
            route = self.routing.route(name)
        if route is None or self._switched_off(route.virtual_mta.name, name):
            self.counts.totals.unknown_virtual_mta += 1
            text = f"550 5.5.0 specified Virtual MTA '{name}' does not exist\r\n"
            return text.encode("utf-8", "backslashreplace")
        content = raw
        if found.spans:
            content = headers.without(raw, found, self._removed(rules))
        jobs = found.jobs if rules.process_x_job else []
        if len(jobs) > 1 or any(" " in job for job in jobs):
            # Guide: one, without blanks. What PowerMTA does else is not said; here it is counted.
            self.counts.totals.invalid_job += 1
            jobs = []
        envids = found.envids if rules.process_x_envid else []
        self._last_id += 1
        message = Message(
            self._last_id,
            self._clock.now(),
            self._clock.stamp(),
            route.virtual_mta.name,
            route.pool,
            route.source_ip,
            peer.address,
            peer.local_address,
            envelope.mail_from,
            envelope.recipients,
            envids[0] if envids else envelope.envid,
            jobs[0] if jobs else "",
            found.message_id,
            len(content),
            peer.user,
            len(found.virtual_mtas) > 1,
            tuple(
                recipient.address
                for recipient in envelope.recipients
                if self.routing.discards(route.virtual_mta, recipient.domain)
            ),
        )
        self._spool.take(message, raw, content)
        self.counts.taken(message)
        self._delivery.taken(message)
        return TAKEN

    def settle(self) -> None:
        """To be called before a reply that takes a message leaves: its records go first.

        One write for all messages of one read, however many were pipelined."""
        self._delivery.record()

    def _switched_off(self, vmta: str, name: str) -> bool:
        unknown = self.faults.unknown_vmta
        return bool(unknown) and not {vmta.lower(), name.lower()}.isdisjoint(
            map(str.lower, unknown)
        )

    def _removed(self, rules: Rules) -> frozenset[bytes]:
        # Guide: a field is removed once processed, unless retained; unprocessed, it travels on.
        removed = self._removals.get(id(rules))
        if removed is None:
            removed = self._removals[id(rules)] = frozenset(
                name
                for name, processed, retained in (
                    (b"x-virtual-mta", rules.process_x_virtual_mta, rules.retain_x_virtual_mta),
                    (b"x-job", rules.process_x_job, rules.retain_x_job),
                    (b"x-envid", rules.process_x_envid, False),
                )
                if processed and not retained
            )
        return removed
