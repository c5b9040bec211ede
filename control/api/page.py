"""`?limit=&after=`: a long list in parts."""

from control.api.route import Call
from control.plan.rows import Page

MOST = 1000

PAGE = {
    "limit": f"at most so many, 1 to {MOST}; {MOST}",
    "after": "the name of the last one of the page before: of an IP its `vmta`, of a domain "
    "`TENANT/DOMAIN`, of a mailbox its address",
}


def page(call: Call) -> Page:
    """The part that is asked for. Raises RefusedError."""
    return Page(call.query.get("after"), call.number("limit", MOST, MOST, least=1))
