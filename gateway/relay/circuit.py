"""Circuits: when to stop sending to a server or a VirtualMTA, and how to find out it is back.

Owns: the states and their one door. Not here: what counts as a failure (`policy.outcome`).
Rules (policy/README.md: one server per IP): five failures of *different* messages without a
success between open it, a refused greeting, login or VirtualMTA at once; after a wait one probe
goes through, not the message that failed last (a message that PowerMTA cannot stomach must not
keep a healthy server closed) until the longest wait has passed: there may be no other. A server
whose slots are taken is not ill: its wait does not grow. A VirtualMTA that PowerMTA does not know
is our drift: no message of a client's finds out whether it is known again, a probe of ours does,
and nothing but a message that was taken closes it. Time is an argument, in real elapsed seconds.
"""

from enum import StrEnum

from policy.identity import PROBE


class State(StrEnum):
    CLOSED = "closed"
    """Mail flows."""
    OPEN = "open"
    """Nothing goes until the wait is over."""
    PROBING = "probing"
    """One message is on its way to find out."""


class Circuit:
    """One circuit."""

    def __init__(
        self,
        name: str,
        *,
        failures: int,
        wait: float,
        wait_max: float,
        unwell: "dict[str, Circuit]",
    ) -> None:
        """`unwell`: where a circuit is listed while it is not closed."""
        self.name = name
        self._unwell = unwell
        self.state = State.CLOSED
        self.why = ""
        self.full = False
        """It is open because PowerMTA's slots are taken."""
        self.unknown = False
        """It is open because PowerMTA does not know the name."""
        self._limit = failures
        self._first_wait = wait
        self._wait = wait
        self._wait_max = wait_max
        self._failed: set[str] = set()
        """Messages that failed since the last success; empty while it is open."""
        self._last = ""
        self._last_at = 0.0
        self._probe = ""
        self._until = 0.0

    def __repr__(self) -> str:
        return f"<Circuit {self.name}: {self.state}{', ' + self.why if self.why else ''}>"

    def rests(self, now: float) -> float:
        """Seconds until a probe may go; 0 when one may, or is under way."""
        return max(self._until - now, 0.0) if self.state is State.OPEN else 0.0

    def admits(self, message: str, now: float) -> bool:
        """Whether `message` may go now. Says yes to one probe when the wait is over; the caller
        that got it must report `succeeded`, `failed` or `abandoned`."""
        if self.state is State.CLOSED:
            return True
        if self.blocked(message, now):
            return False
        self._until = now
        self._probe = message
        self._enter(State.PROBING)
        return True

    def blocked(self, message: str, now: float) -> bool:
        """As `admits`, without taking the probe."""
        if self.state is State.CLOSED:
            return False
        if self.unknown and not message.startswith(PROBE):
            return True
        if self.state is State.PROBING and now < self._until + self._wait_max:
            return True
        if now < self._until:
            return True
        return message == self._last and now < self._last_at + self._wait_max

    def succeeded(self) -> None:
        if self.state is State.CLOSED and not self._failed:
            return
        self._failed.clear()
        self._wait = self._first_wait
        self._enter(State.CLOSED)

    def answered(self, message: str, now: float) -> None:
        """PowerMTA refused something about `message`: it is well, which says nothing of a name that
        it may not have come to look at."""
        if self.unknown:
            self.abandoned(message, now)
        else:
            self.succeeded()

    def failed(
        self,
        message: str,
        why: str,
        now: float,
        *,
        immediate: bool,
        full: bool = False,
        unknown: bool = False,
    ) -> None:
        """`full`: PowerMTA's slots are taken by others. `unknown`: it does not know the name."""
        if self.state is State.PROBING and message != self._probe:
            return  # it left before; what became of the probe decides
        # Slots that others have taken are no matter of this message: it may find out.
        self._last, self._last_at = "" if full else message, now
        if self.state is State.PROBING:
            self._wait = self._first_wait if full else min(self._wait * 2, self._wait_max)
        elif self.state is State.CLOSED:
            self._failed.add(message)
            if not immediate and len(self._failed) < self._limit:
                return
        self._failed.clear()
        self._until = now + self._wait
        self._enter(State.OPEN, why)
        self.full = full
        self.unknown = unknown

    def abandoned(self, message: str, now: float) -> None:
        """The probe ended without telling anything about the server."""
        if self.state is State.PROBING and message == self._probe:
            self._until = now
            self._enter(State.OPEN, self.why)

    def _enter(self, state: State, why: str = "") -> None:
        self.state = state
        if state is State.CLOSED:
            self.full = self.unknown = False
            self._unwell.pop(self.name, None)
        else:
            self._unwell[self.name] = self
        self.why = why if state is State.OPEN else (self.why if state is State.PROBING else "")


class Circuits:
    """Circuits by name, made when first needed. Names are servers and VirtualMTAs of the
    generation, so their number is bounded."""

    def __init__(self, *, failures: int, wait: float, wait_max: float) -> None:
        self._failures = failures
        self._wait = wait
        self._wait_max = wait_max
        self._circuits: dict[str, Circuit] = {}
        self._unwell: dict[str, Circuit] = {}

    def __getitem__(self, name: str) -> Circuit:
        circuit = self._circuits.get(name)
        if circuit is None:
            circuit = self._circuits[name] = Circuit(
                name,
                failures=self._failures,
                wait=self._wait,
                wait_max=self._wait_max,
                unwell=self._unwell,
            )
        return circuit

    @property
    def all_closed(self) -> bool:
        """Mail flows everywhere."""
        return not self._unwell

    def succeeded(self, name: str) -> None:
        """A message came through; a circuit that was never needed has nothing to learn of it."""
        circuit = self._circuits.get(name)
        if circuit is not None:
            circuit.succeeded()

    def answered(self, name: str, message: str, now: float) -> None:
        """As a circuit's."""
        circuit = self._circuits.get(name)
        if circuit is not None:
            circuit.answered(message, now)

    def unknown(self) -> list[Circuit]:
        """Those that PowerMTA does not know."""
        return [circuit for circuit in self._unwell.values() if circuit.unknown]

    def not_closed(self) -> list[Circuit]:
        return list(self._unwell.values())

    def blocked(self, message: str, now: float) -> tuple[str, ...]:
        """Names that `message` must not use now. Empty, at no cost, while all are closed."""
        return tuple(c.name for c in self.not_closed() if c.blocked(message, now))

    def keep_only(self, names: set[str]) -> None:
        """Forget those that left the generation."""
        for name in self._circuits.keys() - names:
            del self._circuits[name]
            self._unwell.pop(name, None)
