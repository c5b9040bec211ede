"""Changes made from what is changed: the fields of one struct, each of which may be left out.

A term is written down once, with its bounds and its meaning; what a request may say of it, what an
answer shows and what an option is called follow. `Annotated[Bounded, Meta(description=…)]`: bounds
and meaning are two annotations, since the one holds for the value and the other for the field.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

C = TypeVar("C", bound=msgspec.Struct)


def meant(text: str) -> msgspec.Meta:
    """What a field means: in the API's document, and as the help of its option."""
    return msgspec.Meta(description=text)


BY_DEFAULT = msgspec.Meta(extra={"null": "default"})
"""On a command line, null is the word `default`; elsewhere `none`."""
BY_PROFILE = msgspec.Meta(extra={"shown": "by profile"})
"""Null is shown so; no word of a command line stands for it."""
NONE = msgspec.Meta(extra={"nothing": "none"})
"""On a command line, nothing in a list is shown as `none`; elsewhere as `any`."""
DURATION = msgspec.Meta(extra={"unit": "duration"})
"""Seconds, on a command line written as 30d or 12h."""


def parts(kind: Any) -> tuple[list[Any], list[msgspec.Meta]]:
    """The alternatives of a field's type, and what is said of the field as a whole."""
    said: list[msgspec.Meta] = []
    if get_origin(kind) is Annotated:
        inner, *metas = get_args(kind)
        said = [m for m in metas if m.description or m.extra]
        bounds = [m for m in metas if m not in said]
        kind = Annotated[(inner, *bounds)] if bounds else inner
    union = get_args(kind) if get_origin(kind) in (Union, type(int | None)) else (kind,)
    return list(union), said


def bare(kind: Any) -> Any:
    """A type without what is said of its values: bounds, patterns, a schema."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def shape(kind: Any) -> Any:
    """`dict`, `list`, `Literal` or None: the kind of a type, whatever is said of its values."""
    return get_origin(bare(kind))


def nullable(kind: Any) -> bool:
    """Whether null is a value of the field."""
    return type(None) in parts(kind)[0]


def changes(of: type[msgspec.Struct]) -> Callable[[type[C]], type[C]]:
    """Gives a change struct the fields of `of`: one left out stays as it is, and so does one that
    knows no null and is given it."""

    def made(own: type[C]) -> type[C]:
        fields = []
        for field in msgspec.structs.fields(of):
            kinds, said = parts(field.type)
            left_out: Any = UNSET if type(None) in kinds else None
            more = UnsetType if left_out is UNSET else None
            union: Any = Union[(*kinds, more)]
            fields.append((field.name, Annotated[(union, *said)] if said else union, left_out))
        return _with(own, fields, strict=True)

    return made


def shows(of: type[msgspec.Struct]) -> Callable[[type[C]], type[C]]:
    """Gives a view the fields of `of`, after its own."""

    def made(own: type[C]) -> type[C]:
        fields = [(f.name, f.type, f.default) for f in msgspec.structs.fields(of)]
        return _with(own, fields, strict=False)

    return made


def given(of: type[msgspec.Struct], change: msgspec.Struct) -> dict[str, Any]:
    """Those fields of `of` that a change gives, with their values."""
    found = {}
    for field in msgspec.structs.fields(of):
        value = getattr(change, field.name)
        if value is not UNSET and (value is not None or nullable(field.type)):
            found[field.name] = value
    return found


def _with(own: type[C], fields: list[tuple[str, Any, Any]], *, strict: bool) -> type[C]:
    declared = own.__struct_fields__
    return msgspec.defstruct(  # type: ignore[return-value]
        own.__name__,
        [field for field in fields if field[0] not in declared],
        bases=(own,),
        module=own.__module__,
        namespace={"__doc__": own.__doc__},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=strict,
    )
