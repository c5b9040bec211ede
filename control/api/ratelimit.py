"""RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), and what counts.

Of the draft: lists of RFC 9651 strings, our policies' names, with `q` requests in `w` seconds, and
of each `r` that are left and `t`, the seconds within which there are no more than those (section
4.1). `Retry-After` of a refusal is the same time, so that it never lies before that (section 6).
No `pk`: a client has one key of each policy, and need not read which.
"""

from aiohttp import web

from control.users.allowance import WINDOW
from control.users.rates import Met

POLICY, STATE = "RateLimit-Policy", "RateLimit"

COSTLY: frozenset[tuple[str, str]] = frozenset(
    {
        # Some twenty questions to DNS, each with its time.
        ("GET", "/api/v2/domains/{domain}/check"),
        # Days and IPs by the thousand, in this process.
        ("POST", "/api/v2/warmup/simulation"),
        ("POST", "/api/v2/warmup/growth"),
        # Megabytes of PowerMTA's files, read and compared.
        ("POST", "/api/v2/powermta/import"),
    }
)
"""Routes that count for `control.rate_costly`, too."""

UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines as often as somebody set them to. A balancer that is refused takes us out of
service, and all balancers and scrapers of a site may come from one address; of `/metrics` only what
`control.metrics_networks` lets in without a token, for with one it counts as all do.
PowerMTA's accounting and our agent (control/api/webhook.py, agent.py) count nothing either, once
their token or signature is right: a refused batch comes again, and what is too much of them is
bounded by octets that wait (accounting.inbox). An agent's long poll is one request in
`control.pmta_agent_wait`, and the pieces of an import go through that door, too."""

_MET = web.RequestKey("rates met", list)


def keep(request: web.Request, met: list[Met]) -> None:
    """For `tell`."""
    request[_MET] = met


def counted(request: web.Request) -> bool:
    """Whether it was."""
    return _MET in request


def tell(request: web.Request, response: web.StreamResponse) -> None:
    """Puts on an answer what its request met; nothing where no bound concerns it."""
    met: list[Met] = request.get(_MET) or []
    if not met:
        return
    response.headers[POLICY] = ", ".join(
        f'"{one.policy}";q={one.left.most};w={WINDOW:.0f}' for one in met
    )
    response.headers[STATE] = ", ".join(
        f'"{one.policy}";r={one.left.remaining};t={one.left.seconds}' for one in met
    )
