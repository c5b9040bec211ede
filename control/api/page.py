"""What most lists have in common: a part of those that are read by name."""

from control.api.listing import Listing
from control.api.route import Call
from control.plan.rows import Page


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
    """The part that is asked for, and one entry more."""
    return Page(call.query.get("after"), call.parted.limit + 1)
