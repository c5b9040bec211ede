"""`?limit=&after=`: a long list in parts."""

from control.api.route import Call
from control.plan.rows import Page
from control.problem import bad, quoted

MOST = 1000

PAGE = {
    "limit": f"at most so many, 1 to {MOST}; {MOST}",
    "after": "the name of the last one of the page before: of an IP its `vmta`, of a domain "
    "`TENANT/DOMAIN`, of a mailbox its address",
}


def page(call: Call) -> Page:
    """The part that is asked for. Raises RefusedError."""
    text = call.query.get("limit", str(MOST))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MOST):
        raise bad("limit", f"{quoted(text)} is not a number from 1 to {MOST}")
    return Page(call.query.get("after"), int(text))
