"""The demo's tenants, with their quotas: the one table both the set-up and the expectation read.

Addresses are documentation addresses (RFC 5737), domains reserved ones (RFC 2606). All carry names
and addresses of their own, so that a person may use `acme` and 192.0.2.10 beside them."""

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


PASSWORDS = {"demo-acme": "acme-demo-password", "demo-globex": "globex-demo-password"}
"""For the demo tenants only; the stack's listener is on loopback."""

IPS = (
    DemoIp(
        tenant="demo-acme",
        domain="shop.demo-acme.example",
        ip="203.0.113.10",
        pool="demo-acme",
        quota=8,
        ceilings={"gmail": 3, "microsoft": 2},
    ),
    DemoIp(
        tenant="demo-acme",
        domain="news.demo-acme.example",
        ip="203.0.113.11",
        pool="demo-acme-news",
        quota=10,
        burst=0.3,
    ),
    DemoIp(
        tenant="demo-globex",
        domain="alerts.demo-globex.example",
        ip="203.0.113.21",
        pool="demo-globex-more",
        quota=3,
    ),
    DemoIp(
        tenant="demo-globex",
        domain="demo-globex.example",
        ip="203.0.113.20",
        pool="demo-globex",
        quota=4,
        overflow="demo-globex-more",
    ),
)
