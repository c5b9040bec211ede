"""The plans the ledger is measured with: one IP, a hundred IPs in one pool, a hundred tenants."""

import random
from collections.abc import Callable, Iterator

import msgspec

from policy.ledger_port import Reserve
from policy.model import Pool, Tenant, VirtualMta
from policy.plan import Generation
from tests.support.gateway.generations import generation, tenant, vmta

PROVIDERS = ("gmail", "microsoft", "yahoo", "apple", "orange", "other")
"""Six, drawn alike: the most indexes a pool can have in use."""

QUOTA = 10_000_000
"""Out of reach: the common case is that an IP may send."""


class Scene(msgspec.Struct, frozen=True):
    """A plan and who sends under it."""

    name: str
    generation: Generation
    senders: tuple[tuple[str, str, int], ...]
    """Tenant, pool, mailboxes."""
    providers: tuple[str, ...]

    @property
    def mailboxes(self) -> int:
        return sum(count for _, _, count in self.senders)

    def asks(self, seed: int, *, keyed: bool) -> Iterator[Reserve]:
        """Reservations without end: any sender, mailbox and provider; every key is new."""
        draw = random.Random(seed)
        while True:
            name, pool, boxes = draw.choice(self.senders)
            yield Reserve(
                name,
                pool,
                mailbox(name, draw.randrange(boxes)),
                ((draw.choice(self.providers), 1),),
                key=f"{draw.getrandbits(128):032x}" if keyed else "",
                owner=f"{draw.getrandbits(128):032x}",
                attempt=1,
            )


def mailbox(name: str, number: int) -> str:
    return f"sender-{number}@{name}.test"


def one_ip(*, share: float) -> Scene:
    """One tenant, one IP, a hundred mailboxes, one provider."""
    plan = generation(_ip(1, share))
    return Scene("1 IP", plan, (("acme", "acme-pool", 100),), ("gmail",))


def one_pool(
    *, share: float, ceilings: dict[str, int] | None = None, open_ip: bool = False
) -> Scene:
    """A hundred IPs in one pool of one tenant, 100,000 mailboxes, six providers; 99 tenants more
    that send nothing. With `open_ip` the last IP has no ceilings."""
    rows = tuple(_ip(n, share, {} if open_ip and n == 100 else ceilings) for n in range(1, 101))
    others = tuple(_tenant(n) for n in range(1, 100))
    pools = (_pool("acme", rows), *(_pool(t.name, ()) for t in others))
    plan = generation(*rows, tenants=(tenant(), *others), pools=pools)
    return Scene("100 IPs, one pool", plan, (("acme", "acme-pool", 100_000),), PROVIDERS)


def many_tenants(*, share: float) -> Scene:
    """A hundred tenants with an IP and a thousand mailboxes each, six providers, all sending."""
    rows = tuple(_ip(n, share) for n in range(1, 101))
    names = tuple(_tenant(n) for n in range(100))
    pools = tuple(_pool(t.name, (row,)) for t, row in zip(names, rows, strict=True))
    plan = generation(*rows, tenants=names, pools=pools)
    senders = tuple((t.name, f"{t.name}-pool", 1000) for t in names)
    return Scene("100 IPs, 100 tenants", plan, senders, PROVIDERS)


def crowded(indexes: int) -> Scene:
    """A hundred IPs that are all in as many pools as make so many indexes; 99 have a ceiling of 1
    for every provider."""
    limits = dict.fromkeys(PROVIDERS, 1)
    rows = tuple(_ip(n, 1.0, {} if n == 100 else limits) for n in range(1, 101))
    names = ("acme", *(f"acme-{n}" for n in range(1, -(-indexes // len(PROVIDERS)))))
    pools = tuple(
        Pool(name=f"{name}-pool", tenant="acme", members=tuple(r.name for r in rows))
        for name in names
    )
    senders = tuple(("acme", pool.name, 100) for pool in pools)
    return Scene("100 IPs in every pool", generation(*rows, pools=pools), senders, PROVIDERS)


SCENES: tuple[Callable[..., Scene], ...] = (one_ip, one_pool, many_tenants)


def _ip(number: int, share: float, ceilings: dict[str, int] | None = None) -> VirtualMta:
    return vmta(
        number,
        daily=QUOTA,
        hourly_share=share,
        ceilings=dict.fromkeys(PROVIDERS, QUOTA) if ceilings is None else ceilings,
    )


def _tenant(number: int) -> Tenant:
    return tenant(f"tenant-{number}")


def _pool(name: str, rows: tuple[VirtualMta, ...]) -> Pool:
    return Pool(name=f"{name}-pool", tenant=name, members=tuple(row.name for row in rows))
