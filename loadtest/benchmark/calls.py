"""What callers of /api/warmup wait for, by how many mailboxes there are."""

import time
from collections.abc import Awaitable, Callable

import msgspec

PATHS = {
    "quota": "/api/warmup/quota",
    "quota, those behind": "/api/warmup/quota?status=behind",
    "quota of a tenant": "/api/warmup/quota?tenant=t000&status=behind",
    "mailbox, a page of 1,000": "/api/warmup/mailbox",
    "mailbox of a tenant": "/api/warmup/mailbox?tenant=t000",
    "mailbox, one": "/api/warmup/mailbox?id=m000000@d0.t000.example",
    "metrics": "/api/warmup/metrics",
    "metrics, for Prometheus": "/api/warmup/metrics?format=prometheus",
    "control": "/api/warmup/control",
}
"""Name to what is called."""


class Call(msgspec.Struct, kw_only=True):
    """One of them at one size, milliseconds."""

    mailboxes: int
    path: str
    p50: float
    p99: float


async def calls(
    ask: Callable[[str, str], Awaitable[int]], mailboxes: int, times: int
) -> list[Call]:
    """Each called so many times, one after the other, in turns: over looks that go on."""
    took: dict[str, list[float]] = {name: [] for name in PATHS}
    for _ in range(times):
        for name, path in PATHS.items():
            started = time.perf_counter()
            await ask("GET", path)
            took[name].append(time.perf_counter() - started)
    return [
        Call(
            mailboxes=mailboxes,
            path=name,
            p50=_share(found, 0.5),
            p99=_share(found, 0.99),
        )
        for name, found in took.items()
    ]


def called(found: list[Call]) -> str:
    """A line for each, two columns for each size."""
    sizes = sorted({one.mailboxes for one in found})
    by = {(one.path, one.mailboxes): one for one in found}
    lines = [f"{'ms, p50 and p99':26}" + "".join(f"{size:>16,}" for size in sizes)]
    for name in PATHS:
        shown = (by[name, size] for size in sizes)
        lines.append(f"{name:26}" + "".join(f"{f'{o.p50:.1f} {o.p99:.1f}':>16}" for o in shown))
    return "\n".join(lines)


def _share(found: list[float], share: float) -> float:
    ordered = sorted(found)
    return round(1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)
