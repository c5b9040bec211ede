"""Reads a scenario from TOML: one of ours by its name, or a file.

Rule: every value that cannot be is named with its path and what it should be, all of them at once.
"""

import itertools
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from loadtest.laboratory.scenario import Provider, Scenario

FOLDER = Path(__file__).with_name("scenarios")
MOST_MESSAGES = 20_000_000
"""A message takes 12 octets of the laboratory's memory."""
MOST_IPS = 60_000


class ScenarioError(Exception):
    """It cannot be run. `problems`: a sentence for each, with the path."""

    def __init__(self, where: str, problems: list[str]) -> None:
        super().__init__("\n".join(f"{where}: {problem}" for problem in problems))
        self.problems = problems


def names() -> list[str]:
    """Of the scenarios that come with the laboratory."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(which: str) -> Scenario:
    """One that comes with us, by name, or a file. Raises ScenarioError."""
    path = FOLDER / f"{which}.toml" if which in names() else Path(which)
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        known = ", ".join(names())
        said = f"{error.strerror or error}; give a file, or one of {known}"
        raise ScenarioError(which, [said]) from error
    except UnicodeDecodeError as error:
        raise ScenarioError(which, [f"is no UTF-8: octet {error.start}"]) from error
    return parse(text, which)


def parse(text: str, where: str) -> Scenario:
    """Raises ScenarioError with every problem."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(where, [f"is no TOML: {error}"]) from error
    found, problems = _converted(raw)
    if found is not None:
        problems += _together(found)
    if problems or found is None:
        raise ScenarioError(where, problems)
    return found


_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$?(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(?:missing required|unknown) field `([^`]*)`")
_ANY = "providers[...]"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def _converted(raw: Any) -> tuple[Scenario | None, list[str]]:
    """The scenario, and what is wrong with it: what is said of a value is taken out, so that the
    next one is found too."""
    problems: list[str] = []
    taken_out: set[str] = set()
    for _ in range(100):
        try:
            scenario = msgspec.convert(raw, Scenario)
        except msgspec.ValidationError as error:
            found = _AT.match(str(error))
            assert found is not None
            what, path = found["what"], _keyed(raw, (found["path"] or "").lstrip("."))
            named = _FIELD.search(what)
            if named is not None:
                path = f"{path}.{named[1]}".lstrip(".")
            emptied = any(one.startswith(f"{path}[") for one in taken_out)
            if path not in taken_out and not emptied:
                problems.append(f"{path or 'the file'}: {_plain(what)}{_hint(path)}")
            if named is not None and what.startswith("Object missing"):
                # Whatever the type: no other problem of this table can be seen without it.
                if not _put(raw, path):
                    break
                continue
            taken_out.add(path)
            if not _take_out(raw, path):
                break
        else:
            return (None if problems else scenario), problems
    return None, problems


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_LENGTH = re.compile(r"`(str|array|object)` of length (<=|>=) (\d+)")


def _plain(what: str) -> str:
    """What msgspec says of a value, in words of who wrote the file."""
    if what.startswith("Object contains unknown field"):
        return "there is no such field"
    if what.startswith("Object missing required field"):
        return "is missing"
    if "matching regex" in what:
        return "cannot be used"
    parts = {"str": "characters", "array": "entries", "object": "entries"}
    what = _LENGTH.sub(
        lambda f: f"{'at most' if f[2] == '<=' else 'at least'} {f[3]} {parts[f[1]]}", what
    )
    what = re.sub(
        r"`([\w |]+)`", lambda f: " or ".join(_KINDS.get(k, k) for k in f[1].split(" | ")), what
    )
    return what[:1].lower() + what[1:]


def _keyed(raw: Any, path: str) -> str:
    """msgspec names no key of a mapping: the first one whose value is wrong takes its place."""
    if not path.startswith(_ANY):
        return path
    for name, value in raw["providers"].items():
        try:
            msgspec.convert(value, Provider)
        except msgspec.ValidationError:
            return path.replace(_ANY, f"providers.{name}", 1)
    return path


def _steps(path: str) -> list[str | int]:
    return [int(n) if n else key for key, n in _STEP.findall(path)]


def _parent(raw: Any, path: str) -> tuple[Any, str | int] | None:
    *before, last = _steps(path) or [""]
    for step in before:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return None
    return raw, last


def _take_out(raw: Any, path: str) -> bool:
    found = _parent(raw, path)
    if found is None:
        return False
    parent, last = found
    try:
        del parent[last]
    except (KeyError, IndexError, TypeError):
        return False
    return True


_STAND_IN = {"name": "x", "mailboxes": 1, "per_mailbox": 1, "share": 1, "domains": ["x.example"]}


def _put(raw: Any, path: str) -> bool:
    """A value in place of one that is missing, so that the rest can be read."""
    found = _parent(raw, path)
    if found is None or found[1] not in _STAND_IN or not isinstance(found[0], dict):
        return False
    found[0][found[1]] = _STAND_IN[str(found[1])]
    return True


def _hint(path: str) -> str:
    """What the field is to be."""
    kind: Any = Scenario
    said = ""
    for step in _steps(path):
        if isinstance(step, int):
            kind = _inner(kind)
            continue
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            kind = _inner(kind)
            continue
        hints = get_type_hints(kind, include_extras=True)
        if step not in hints:
            return f"; it has {', '.join(hints)}"
        kind = hints[step]
        for meta in getattr(kind, "__metadata__", ()):
            said = getattr(meta, "description", None) or said
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
    return f"; wanted: {said}" if said else ""


def _inner(kind: Any) -> Any:
    """Of a list or a mapping, what it holds."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    arguments = [one for one in get_args(kind) if one is not Ellipsis]
    return arguments[-1] if arguments else kind


def _together(scenario: Scenario) -> list[str]:
    """What no single value tells."""
    problems = []
    quotas = scenario.plan.quotas
    if any(after <= before for before, after in itertools.pairwise(quotas)):
        problems.append("plan.quotas: they have to rise from stage to stage")
    seen: set[str] = set()
    for number, group in enumerate(scenario.tenants):
        path = f"tenants[{number}]"
        if group.name in seen:
            problems.append(f"{path}.name: {group.name} stands above already; choose another")
        seen.add(group.name)
        if high := [stage for stage in group.stages if stage > len(quotas)]:
            problems.append(
                f"{path}.stages: {high[0]} is too high: plan.quotas has {len(quotas)} stages"
            )
        most, least = group.mailbox_max, group.mailbox_min
        if most is not None and least is not None and least > most:
            problems.append(f"{path}.mailbox_min: {least} is more than mailbox_max ({most})")
    if scenario.plan.hourly_share * scenario.days.steps < 1:
        problems.append(
            f"plan.hourly_share: {scenario.plan.hourly_share:g} of a day is less than what accrues "
            f"in one of {scenario.days.steps} steps, and the rest of it would be lost: a larger "
            "share, or more days.steps"
        )
    if not any(scenario.days.curve):
        problems.append("days.curve: all 24 are 0; at least one hour has mail")
    rates = scenario.rates
    if rates.bounces + rates.deferrals + rates.refusals + rates.complaints > 1:
        problems.append("rates: together they are more than 1")
    domains: dict[str, str] = {}
    for name, provider in scenario.providers.items():
        if not _NAME.fullmatch(name):
            problems.append(f"providers.{name}: a name has lower-case letters, digits, hyphens")
        problems += [
            f"providers.{name}.domains: {domain} is {domains[domain]}'s already"
            for domain in provider.domains
            if domains.setdefault(domain, name) != name
        ]
    total = scenario.messages
    if total > MOST_MESSAGES:
        problems.append(
            f"tenants: {total} messages in all; at most {MOST_MESSAGES}: fewer mailboxes, "
            "per_mailbox or days"
        )
    if sum(group.count * group.ips for group in scenario.tenants) > MOST_IPS:
        problems.append(f"tenants: more than {MOST_IPS} IPs; fewer tenants or IPs")
    return problems
