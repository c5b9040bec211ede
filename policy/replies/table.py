"""The rules of replies.toml: read, checked and put into their types. Pure.

A rule that quotes no source does not load: what a provider says is a fact, and a fact has a place
where it can be read again.
"""

import re
import tomllib
from importlib import resources

import msgspec

from policy.provider import PROVIDERS
from policy.replies.rule import (
    FITTING,
    LONGEST,
    SHORTEST,
    Action,
    Kind,
    ReplyRule,
    Scope,
)

MOST_RULES = 1_000


class RulesError(Exception):
    """The file says something that cannot be used; the sentence names the rule and the fix."""


class _Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str = ""
    status: str = ""
    bracket: list[str] = []
    text: list[str] = []
    unless: list[str] = []


class _Means(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scope: Scope
    kind: Kind
    action: Action
    lasts: str = ""


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    match: _Match
    means: _Means
    source: str = ""
    golden: str = ""
    providers: list[str] = []


class _Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    seen: str
    licence: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    hosters: list[str]
    sources: dict[str, _Source]
    rules: list[_Row]


class Table(msgspec.Struct, frozen=True):
    """All rules of one version."""

    version: int
    hosters: frozenset[str]
    """Providers that receive mail for other people's domains too."""
    rules: tuple[ReplyRule, ...]


_CODE = re.compile(r"[45][0-9]{0,2}")
_STATUS = re.compile(r"([45]\.[0-9]{1,3})\.([0-9]{1,3})(?:-([0-9]{1,3}))?")
_SEEN = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_LASTS = re.compile(r"([1-9][0-9]{0,3})([mh])")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


def read(text: str) -> Table:
    """The table that a TOML text has. Raises RulesError."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RulesError(f"replies.toml: {error}") from error
    for name, source in file.sources.items():
        if not source.url.startswith(("https://", "http://")) or not _SEEN.fullmatch(source.seen):
            raise RulesError(f"source {name}: give its url, and `seen` as year and month: 2026-11")
    for provider in file.hosters:
        _known(provider, "hosters")
    if len(file.rules) > MOST_RULES:
        raise RulesError(f"{len(file.rules)} rules are more than {MOST_RULES}: remove some")
    names = [row.name for row in file.rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RulesError(f"rule {twice[0]}: the name is given twice, choose another")
    made = tuple(_rule(row, file.sources) for row in file.rules)
    return Table(file.version, frozenset(file.hosters), made)


def _rule(row: _Row, sources: dict[str, _Source]) -> ReplyRule:
    match, means, at = row.match, row.means, f"rule {row.name}"
    if not _NAME.fullmatch(row.name):
        raise RulesError(f"{at}: a name is lower-case words with hyphens")
    if row.source not in sources:
        raise RulesError(f"{at}: `source` names none of [sources], add where the reply is quoted")
    if not row.golden:
        raise RulesError(f"{at}: `golden` is missing, quote the reply as its source has it")
    for provider in row.providers:
        _known(provider, at)
    if match.code and not _CODE.fullmatch(match.code):
        raise RulesError(f"{at}: `code` {match.code!r} is not the beginning of a 4xx or 5xx code")
    status, detail = _status(match.status, at)
    if not (match.bracket or match.text or detail or status):
        raise RulesError(f"{at}: `match` needs a bracket, a text or a status, a code is too little")
    texts, unless = _plain(match.text), _plain(match.unless)
    if "" in (*texts, *unless, *match.bracket):
        raise RulesError(f"{at}: an empty text or bracket would match every reply, remove it")
    if means.kind not in FITTING[means.action].get(means.scope, frozenset()):
        raise RulesError(
            f"{at}: the action {means.action} does not follow from {means.scope} {means.kind}"
        )
    seconds = _seconds(means.lasts, at)
    if means.action == "backoff" and seconds is None:
        raise RulesError(f"{at}: a backoff needs `lasts`, such as 30m or 2h")
    return ReplyRule(
        name=row.name,
        providers=tuple(row.providers),
        code=match.code,
        status=status,
        detail=detail,
        tokens=frozenset(token.lower() for token in match.bracket),
        texts=texts,
        unless=unless,
        scope=means.scope,
        kind=means.kind,
        action=means.action,
        seconds=seconds,
        source=sources[row.source].url,
        seen=sources[row.source].seen,
        golden=row.golden,
    )


def _plain(texts: list[str]) -> tuple[str, ...]:
    return tuple(" ".join(text.lower().split()) for text in texts)


def _known(provider: str, at: str) -> None:
    if provider not in PROVIDERS:
        raise RulesError(f"{at}: {provider!r} is no provider of providers.toml")


def _status(text: str, at: str) -> tuple[str, tuple[int, int] | None]:
    if not text:
        return "", None
    found = _STATUS.fullmatch(text)
    if found is None:
        raise RulesError(f"{at}: `status` {text!r} is neither like 5.7.1 nor like 5.7.606-649")
    if found[3] is None:
        return text, None
    if int(found[2]) >= int(found[3]):
        raise RulesError(f"{at}: the range of `status` {text!r} runs backwards")
    return found[1], (int(found[2]), int(found[3]))


def _seconds(text: str, at: str) -> int | None:
    if not text:
        return None
    found = _LASTS.fullmatch(text)
    made = int(found[1]) * (60 if found[2] == "m" else 3_600) if found is not None else 0
    if not SHORTEST <= made <= LONGEST:
        raise RulesError(f"{at}: `lasts` {text!r} is not minutes or hours up to a week: 30m, 2h")
    return made


TABLE = read(resources.files("policy.replies").joinpath("replies.toml").read_text("utf-8"))
"""Read once, at import: what providers say does not change while a process lives."""
