"""Options made from the struct of a request's body: name, kind, bounds and help are its fields'.

`@options(TenantChange)` above a command gives it an option for each field, and its parameter `body`
what was said, as the API takes it: a field without its option is left out. `@filters(AuditQuery)`
does the same for the parameters of a query, where nothing has to be said.
"""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NewType, get_args

import msgspec
import typer
from msgspec import UnsetType

from control.ledger.clock import step_seconds
from control.problem import RefusedError
from control.terminal.usage import UsageError, finite, misused, once_for_each, readable
from control.values.wanted import bare, parts, shape
from control.values.wording import wrong

Body = NewType("Body", dict[str, Any])
"""The parameter of a command that takes what its options say."""

_WIDE = 24
"""Choices longer than this stand in the help, and leave its column to others."""
REASON = "reason"
"""A field that is no change by itself."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One field as an option."""

    field: str
    key: str
    """The field as bodies and queries call it."""
    name: str
    """`--max-recipients`."""
    off: str
    """A flag for null, or for none of those that may be repeated; '': there is none."""
    kinds: tuple[Any, ...]
    """The types its value may have, but for null."""
    null: str
    """The word that stands for null; '': it has none."""
    required: bool
    duration: bool
    flag: bool
    """It is said or not, and has no `--no-`."""
    unset: str = ""
    """What is shown for null, where that is no word of a command line."""
    nothing: str = "any"
    """The word for none of those that may be repeated."""
    text: str
    """What it means, with the words of a command line."""

    @property
    def many(self) -> bool:
        """Whether it may be repeated."""
        return any(shape(kind) in (tuple, list, dict) for kind in self.kinds)

    @property
    def plain(self) -> Any:
        """The type of its value, but for null."""
        return functools.reduce(lambda one, other: one | other, self.kinds)

    def shown(self, value: Any) -> Any:
        """A value of the field in a table; null and nothing by their words."""
        if value is None:
            return self.unset or self.null or "none"
        return self.nothing if value in ((), []) else value

    def read(self, given: Any) -> Any:
        """What the option's text means, as JSON has it. Raises a usage error that names it."""
        if isinstance(given, bool):
            return given
        if isinstance(given, list):
            return self._many(given)
        if self.null and given == self.null:
            return None
        if self.duration:
            try:
                given = step_seconds(given)
            except RefusedError as error:
                raise self._wrong(f"{given!r} is not a time such as 30d") from error
        value = self._as(given, self.plain)
        return finite(self.name, value) if isinstance(value, float) else value

    def _many(self, given: list[str]) -> Any:
        if self.null and given == [self.null]:
            return None
        for kind in self.kinds:
            if len(given) == 1 and shape(kind) is Literal and given[0] in get_args(bare(kind)):
                return given[0]
        kind = next(k for k in self.kinds if shape(k) in (tuple, list, dict))
        if shape(kind) is not dict:
            try:
                return self._as(given, kind)
            except UsageError as error:
                raise once_for_each(self.name, given, error) from error
        found: dict[str, str] = {}
        for text in given:
            key, sign, value = text.partition("=")
            if not sign:
                raise self._wrong(f"{text!r} is not NAME=VALUE")
            if key in found:
                raise self._wrong(f"{key} is named twice")
            found[key] = value
        return self._as(found, kind)

    def _as(self, given: Any, kind: Any) -> Any:
        try:
            return msgspec.to_builtins(msgspec.convert(given, kind, strict=False))
        except msgspec.ValidationError as error:
            text = wrong(error, kind, given).replace(", got text", "")
            alone = isinstance(given, str) and repr(given) not in text and f"'{given}'" not in text
            shown = f", not {given!r}" if alone and "not" not in text else ""
            other = self.null or self.off
            raise self._wrong(f"{text}{f' or {other}' if other else ''}{shown}") from error

    def _wrong(self, text: str) -> Exception:
        return misused(f"{self.name}: {text}")


def of(
    kind: type[msgspec.Struct],
    *,
    named: Mapping[str, str] | None = None,
    off: Mapping[str, str] | None = None,
) -> dict[str, Option]:
    """Field to option. `named`: options that have not the name of their field; `off`: flags for
    null or nothing."""
    found = {}
    for field in msgspec.structs.fields(kind):
        kinds, said = parts(field.type)
        extra: dict[str, Any] = {}
        for meta in said:
            extra |= meta.extra or {}
        flag = (off or {}).get(field.name, "")
        null = str(extra.get("null", "none"))
        # Where null is what leaves the option out, there is no word for it.
        wordless = (flag and "null" not in extra) or UnsetType not in kinds or bool in kinds
        text = " ".join(meta.description for meta in said if meta.description)
        given = tuple(k for k in kinds if k not in (type(None), UnsetType))
        found[field.name] = Option(
            field=field.name,
            key=field.encode_name,
            name=(named or {}).get(field.name, f"--{field.encode_name.replace('_', '-')}"),
            off=flag,
            kinds=given,
            null="" if wordless else null,
            required=field.required,
            duration=extra.get("unit") == "duration",
            unset=str(extra.get("shown", "")),
            nothing=str(extra.get("nothing", "any")),
            flag=extra.get("flag") is True or given == (Literal[True],),
            text=_words(text, "" if wordless else null, duration=extra.get("unit") == "duration"),
        )
    return found


def nulls(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The word of each field that has one for null."""
    return {option.key: option.null for option in of(kind).values() if option.null}


def _words(text: str, null: str, *, duration: bool) -> str:
    """What is said of a field, for who gives options: nobody types a null, nor counts seconds where
    30d will do. A flag in the place of null speaks for itself."""
    if duration:
        text = text.replace(", in seconds", "")
    return re.sub(r"\bnull\b", null, text) if null else re.sub(r"; null[^.;]*", "", text)


def options(
    kind: type[msgspec.Struct],
    *,
    but: tuple[str, ...] = (),
    named: Mapping[str, str] | None = None,
    off: Mapping[str, str] | None = None,
    some: bool = True,
    into: str = "",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of `kind`, `but` for fields it asks for in another way. `some`:
    where none has to be given, one must be. `into`: which parameter takes them, of a command that
    has several, each of a decorator of its own."""
    made = [option for field, option in of(kind, named=named, off=off).items() if field not in but]
    made.sort(key=lambda option: not option.required)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        body = into or next(p.name for p in signature.parameters.values() if p.annotation is Body)
        parameters = []
        for parameter in signature.parameters.values():
            if parameter.name == body:
                for option in made:
                    parameters += _parameters(option)
            else:
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        @functools.wraps(command)
        def run(**given: Any) -> None:
            found: dict[str, Any] = {}
            for option in made:
                value = given.pop(option.field)
                readable(option.name, value, empty=some)
                nothing = bool(option.off) and given.pop(_off(option))
                if nothing and value:
                    raise misused(
                        f"{option.name} and {option.off} contradict each other: give one of them"
                    )
                if nothing:
                    found[option.key] = [] if option.many else None
                    if any(shape(k) is dict for k in option.kinds):
                        found[option.key] = {}
                elif value not in (None, [], False) or (value is False and not option.flag):
                    found[option.key] = option.read(value)
            if some and not any(o.required for o in made) and not found.keys() - {REASON}:
                at = given["context"].command_path.partition(" ")[2]
                raise misused(f"{at}: nothing to change was given")
            try:
                command(**given, **{body: found})
            except RefusedError as error:
                error.called = {option.key: option.name for option in made}
                raise

        # typer reads both.
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def filters(
    kind: type[msgspec.Struct],
    *,
    but: tuple[str, ...] = (),
    named: Mapping[str, str] | None = None,
    into: str = "",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `options`, for the parameters of a query: all of them may be left out."""
    return options(kind, but=but, named=named, some=False, into=into)


def _parameters(option: Option) -> list[inspect.Parameter]:
    kind: Any = str if option.required else str | None
    default: Any = inspect.Parameter.empty if option.required else None
    name = option.name
    metavar: str | None = _metavar(option)
    if option.flag:
        kind, default, metavar = bool, False, None
    elif bool in option.kinds:
        kind, metavar = bool | None, None
        name = f"{name}/--no-{name.removeprefix('--')}"
    elif option.many:
        kind = list[str] if option.required else list[str] | None
    said = f"{option.text.rstrip('.')}; repeatable." if option.many else option.text
    if metavar is not None and len(metavar) > _WIDE and "<" not in metavar:
        said = f"{said} One of {metavar.replace('|', ', ')}."
        metavar = "<word>"
    found = [(option.field, kind, typer.Option(name, help=said, metavar=metavar), default)]
    if option.off:
        text = f"No {option.name} any more."
        if option.null:
            text = f"None, and not what `{option.name} {option.null}` takes either."
        found.append((_off(option), bool, typer.Option(option.off, help=text), False))
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[kind, made],
            default=default,
        )
        for name, kind, made, default in found
    ]


def _off(option: Option) -> str:
    return f"no_{option.field}"


def _metavar(option: Option) -> str:
    """`from|envelope`, `<int|none>`, `<30d>`."""
    words: list[str] = []
    for kind in option.kinds:
        if shape(kind) is Literal:
            words += map(str, get_args(bare(kind)))
        elif shape(kind) is dict:
            words.append("name=int")
        elif shape(kind) in (tuple, list):
            words.append("str")
        else:
            words.append("30d" if option.duration else getattr(bare(kind), "__name__", "str"))
    if option.null:
        words.append(option.null)
    text = "|".join(dict.fromkeys(words))
    return text if all(shape(kind) is Literal for kind in option.kinds) else f"<{text}>"
