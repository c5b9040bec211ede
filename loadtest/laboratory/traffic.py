"""The mail of a scenario: each message has a number, and the number says all of it.

Rule: messages of a step are a range of numbers. The same seed makes the same mail.
"""

import random
import re
from array import array
from enum import IntEnum
from itertools import accumulate

from loadtest.laboratory.scenario import Scenario
from loadtest.laboratory.world import World

_RECIPIENT = re.compile(r"(?:[a-z]+\+)?s([0-9]{1,9})")


class Kind(IntEnum):
    """What becomes of a message."""

    PLAIN = 0
    BOUNCE = 1
    DEFERRAL = 2
    REFUSAL = 3
    COMPLAINT = 4


_PREFIX = {Kind.BOUNCE: "bounce+", Kind.DEFERRAL: "transient+", Kind.REFUSAL: "refuse+"}
"""What the stand-in obeys (loadtest/README.md)."""


class Traffic:
    """Every message."""

    def __init__(self, world: World) -> None:
        scenario = world.scenario
        self._world = world
        chance = random.Random(scenario.seed)
        self.mailbox = array("I")
        self.starts = [0]
        """By (day, step): where its numbers begin; one more at the end."""
        weights = _weights(scenario)
        for _ in range(scenario.days.days):
            day = _day(world, chance)
            first = len(self.mailbox)
            self.mailbox.extend(day)
            whole, cut = sum(weights), 0.0
            for weight in weights:
                cut += weight
                self.starts.append(first + round(len(day) * cut / whole))
        self.domains = [d for one in scenario.providers.values() for d in one.domains]
        shares = [
            one.share / len(one.domains) for one in scenario.providers.values() for _ in one.domains
        ]
        count = len(self.mailbox)
        self.domain = array(
            "H",
            chance.choices(range(len(self.domains)), cum_weights=[*accumulate(shares)], k=count),
        )
        rates = scenario.rates
        odd = (rates.bounces, rates.deferrals, rates.refusals, rates.complaints)
        self.kind = bytearray(
            chance.choices(range(5), cum_weights=[*accumulate((1 - sum(odd), *odd))], k=count)
        )

    def __len__(self) -> int:
        return len(self.mailbox)

    def step(self, day: int, step: int) -> range:
        """The numbers of its messages."""
        place = day * self._world.scenario.days.steps + step
        return range(self.starts[place], self.starts[place + 1])

    def day(self, day: int) -> range:
        """The numbers of its messages."""
        steps = self._world.scenario.days.steps
        return range(self.starts[day * steps], self.starts[(day + 1) * steps])

    def sender(self, number: int) -> str:
        """The address of its mailbox."""
        return self._world.address(self.mailbox[number])

    def recipient(self, number: int) -> str:
        """Always another."""
        prefix = _PREFIX.get(Kind(self.kind[number]), "")
        return f"{prefix}s{number}@{self.domains[self.domain[number]]}"

    def provider(self, number: int) -> str:
        """Whose servers take it."""
        return self._world.provider_of[self.domains[self.domain[number]]]

    def number(self, recipient: str) -> int | None:
        """Of the message to this address; None: none is."""
        found = _RECIPIENT.fullmatch(recipient.partition("@")[0])
        if found is None or int(found[1]) >= len(self):
            return None
        number = int(found[1])
        return number if self.recipient(number) == recipient else None


def _weights(scenario: Scenario) -> list[float]:
    """Of the steps of a day."""
    steps, curve = scenario.days.steps, scenario.days.curve
    if steps >= 24:
        return [curve[step * 24 // steps] for step in range(steps)]
    hours = [range(step * 24 // steps, (step + 1) * 24 // steps) for step in range(steps)]
    return [sum(curve[hour] for hour in part) for part in hours]


def _day(world: World, chance: random.Random) -> "array[int]":
    """The mailboxes of one day's messages, in their order."""
    found = array("I")
    for tenant in world.tenants:
        whole = int(tenant.kind.per_mailbox)
        for mailbox in tenant.mailboxes:
            found.extend([mailbox] * whole)
        more = round((tenant.kind.per_mailbox - whole) * tenant.kind.mailboxes)
        found.extend(chance.sample(tenant.mailboxes, more))
    chance.shuffle(found)
    return found
