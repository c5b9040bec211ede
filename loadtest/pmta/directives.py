"""Whether every directive exists, may stand where it does, and has arguments of its form.

A stand-in that accepted anything would let a generator invent syntax; so an unknown name, a wrong
place and a value of the wrong form are load errors, as they are in PowerMTA. What there is to know
is the guide's and is in `directives.csv`.
"""

from difflib import get_close_matches

from loadtest.pmta.form import refusal
from loadtest.pmta.grammar import PATTERN_LINE, Block, ConfigError, Directive
from loadtest.pmta.table import GLOBAL, Row, places, rows, shown, table


def check(block: Block) -> None:
    """Raise ConfigError at the first directive or block that may not be as it is."""
    place = block.tag or GLOBAL
    allowed = table().get(place, {})
    once: set[str] = set()
    for directive in block.directives:
        row = allowed.get(directive.name)
        if row is None:
            raise ConfigError(directive.at, _misplaced(directive, place))
        _check_form(directive, row, place)
        if row.repeats == "no" and directive.name in once:
            problem = f"'{directive.name}' may be given once in {shown(place)}; remove one"
            raise ConfigError(directive.at, problem)
        once.add(directive.name)
    for inner in block.blocks:
        _check_block(inner, place, allowed)
        check(inner)


def _check_block(block: Block, place: str, allowed: dict[str, Row]) -> None:
    name = f"<{block.tag}>"
    row = allowed.get(name)
    if row is None:
        where = places(name)
        inside = "" if place == GLOBAL else f" inside {shown(place)}"
        problem = (
            f"{name} may not stand in {shown(place)}, only in {_listed(where)}; move it"
            if where
            else f"unknown block {name}{inside}{_meant(name)}"
        )
        raise ConfigError(block.at, problem)
    if wrong := refusal(row.form, block.text):
        raise ConfigError(
            block.at, f"{wrong} in {name}; write <{f'{block.tag} {row.form}'.strip()}>"
        )


def _check_form(directive: Directive, row: Row, place: str) -> None:
    problem = refusal(row.form, directive.text)
    if problem is None:
        return
    name = "" if directive.name == PATTERN_LINE else f"{row.name} "
    about = f"{problem} for '{directive.name}' in {shown(place)}; write {name}{row.form}"
    raise ConfigError(directive.at, about)


def _misplaced(directive: Directive, place: str) -> str:
    name = directive.name
    where = places(name)
    if not where:
        inside = "" if place == GLOBAL else f" in {shown(place)}"
        return f"unknown directive '{name}'{inside}{_meant(name)}"
    return f"'{name}' may not stand in {shown(place)}, only in {_listed(where)}; move or remove it"


def _meant(name: str) -> str:
    near = get_close_matches(name, {row.name for row in rows()}, 1, 0.8)
    return f"; did you mean {near[0]}?" if near else "; remove it or correct its name"


def _listed(where: tuple[str, ...]) -> str:
    return " or ".join(dict.fromkeys(shown(place) for place in where))
