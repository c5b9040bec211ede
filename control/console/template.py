"""Templates: HTML with everything in it escaped, and what is missing is an error.

Owns: the filters that pages write values with. Rule: text that anybody outside chose (a reply of a
mail server, a subject, a name, an address) goes through `outside`: it is marked, cannot turn the
order of what stands beside it, shows its control characters by number, and has a bound.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from yarl import URL

from control.console.qr import qr
from control.console.visit import Visit
from control.values.inert import inert

SHOWN = 300
"""Characters of a text from outside that a page shows."""

WHOLE = 4000
"""Characters of it that can be unfolded: as many as a page of a hundred rows can bear."""

SHORT = 24
"""Characters that a cell of a table has room for in one line."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def environment(static: Callable[[str], str]) -> Environment:
    """`static`: where a file of ours is, by its name."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "outside": outside,
        "brief": brief,
        "typed": typed,
        "moment": moment,
        "number": number,
        "size": size,
        "share": share,
        "words": words,
        "with": with_query,
        "segment": segment,
        "qr": qr,
    }
    made.globals["static"] = static
    return made


def outside(text: Any, most: int = SHOWN) -> Markup:
    """Somebody else's text, marked and inert; what is behind `most` characters is counted and can
    be unfolded, up to `WHOLE` of them."""
    whole = "" if text is None else str(text)
    if len(whole) <= most:
        return brief(whole, most)
    rest = whole[most:]
    count = f"{len(rest):,}"
    # A box that is ticked needs no script, and may stand where text may.
    more = Markup(
        '<bdi class="outside">{}<label class="more"><input type="checkbox"> … {} characters more'
        '</label><span class="rest">{}{}</span></bdi>'
    )
    return more.format(_sent(whole[:most]), count, _sent(rest[:WHOLE]), _left(len(rest) - WHOLE))


def brief(text: Any, most: int = SHOWN) -> Markup:
    """The same in a link or a button, where nothing can be unfolded."""
    whole = "" if text is None else str(text)
    shown, more = _sent(whole[:most]), len(whole) - most
    kind = "outside short" if 0 < len(shown) <= SHORT and more <= 0 else "outside"
    return Markup('<bdi class="{}">{}{}</bdi>').format(kind, shown, _left(more))


def _sent(text: str) -> str:
    # Cut before: what is shown of a megabyte costs as little as of a line. Lone surrogates cannot
    # be sent.
    return inert(text).encode("utf-8", "replace").decode()


def _left(more: int) -> Markup:
    cut = Markup('<span class="cut">… {} characters more</span>')
    return cut.format(f"{more:,}") if more > 0 else Markup()


def typed(text: str) -> str:
    """What somebody typed, back in its field; what cannot be seen is written so that it can."""
    return inert(text)


def moment(text: str | None) -> Markup:
    """`2024-10-03T12:00:00Z` in UTC; a script shows it in the reader's zone."""
    if not text:
        return Markup('<span class="none">–</span>')
    said = text.replace("T", " ").replace("Z", " UTC")
    return Markup('<time datetime="{0}" title="{1}">{1}</time>').format(text, said)


def number(value: Any) -> str:
    """With commas; a word (`unlimited`) as it is, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def size(octets: int) -> str:
    """`1.5 MiB`."""
    value, unit = float(octets), UNITS[0]
    for unit in UNITS:
        if value < 1024 or unit == UNITS[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def share(part: Any, whole: Any) -> int:
    """Per cent of a bar, 0 to 100; of nothing and of the unlimited 0."""
    if not isinstance(part, int | float) or not isinstance(whole, int | float) or not whole:
        return 0
    return max(0, min(100, round(100 * part / whole)))


def with_query(visit: Visit, name: str, value: Any) -> str:
    """Where the visit is, with another value of one parameter of its query; None: without it. A
    list begins anew where what it is of changes."""
    found = URL(visit.path).without_query_params("after", name)
    return str(found if value is None else found.update_query({name: str(value)}))


def segment(text: str) -> str:
    """As one part of a path; Jinja's own `urlencode` leaves a slash, which addresses may have."""
    return quote(text, safe="")


def words(text: str) -> str:
    """`step_back` as people read it."""
    return text.replace("_", " ")
