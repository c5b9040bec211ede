"""The demo's tenants, with their quotas: the one table both the set-up and the expectation read.

Addresses are documentation addresses (RFC 5737), domains reserved ones (RFC 2606)."""

import msgspec


class DemoIp(msgspec.Struct, frozen=True, kw_only=True):
    """One IP with its domain, pool and limits."""

    tenant: str
    domain: str
    ip: str
    pool: str
    quota: int
    burst: float = 1.0
    """Share of the day that may go at once."""
    ceilings: dict[str, int] = {}
    overflow: str | None = None

    @property
    def vmta(self) -> str:
        """Its VirtualMTA."""
        return "vmta-" + self.ip.replace(".", "-")


PASSWORDS = {"acme": "acme-demo-password", "globex": "globex-demo-password"}
"""For the demo tenants only; the stack's listener is on loopback."""

IPS = (
    DemoIp(
        tenant="acme",
        domain="shop.acme.example",
        ip="192.0.2.10",
        pool="acme",
        quota=8,
        ceilings={"gmail": 3, "microsoft": 2},
    ),
    DemoIp(
        tenant="acme",
        domain="news.acme.example",
        ip="192.0.2.11",
        pool="acme-news",
        quota=10,
        burst=0.3,
    ),
    DemoIp(
        tenant="globex",
        domain="globex.example",
        ip="198.51.100.20",
        pool="globex",
        quota=4,
        overflow="globex-more",
    ),
    DemoIp(
        tenant="globex",
        domain="alerts.globex.example",
        ip="198.51.100.21",
        pool="globex-more",
        quota=3,
    ),
)
