"""What most lists have in common: a part of those that are read by name."""

from control.api.listing import Listing
from control.api.route import Call
from control.plan.page import Page
from control.values.host import domain_name
from control.values.ip import normal_ip


def listing(*key: str, sort: str = "name", back: bool = False) -> Listing:
    """Of a list that takes the name of the last entry seen, and is read by `page` or by its struct;
    `key`: its entries' fields, in its order; `back`: it can begin at the other end, too."""
    sorts = (sort, f"-{sort}") if back else (sort,)
    return Listing(key=key, sorts=sorts, own=dict.fromkeys(sorts, "after"))


BY_NAME = Listing(
    key=("name",), sorts=("name", "-name", "created", "-created"), plain=lambda name: (name,)
)
"""Of people and tokens."""


def page(call: Call) -> Page:
    """The part that is asked for, and one entry more; its filters are those that the route's struct
    has. Raises RefusedError."""
    asked = call.wanted
    ip, domain = getattr(asked, "ip", None), getattr(asked, "domain", None)
    return Page(
        after=call.query.get("after"),
        limit=call.parted.limit + 1,
        containing=getattr(asked, "containing", None),
        state=getattr(asked, "state", None),
        ip=None if ip is None else normal_ip(ip),
        domain=None if domain is None else domain_name("domain", domain),
        pool=getattr(asked, "pool", None),
        plan=getattr(asked, "plan", None),
    )
