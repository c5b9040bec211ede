"""A generation in parts, each named by its digest: a change writes and reads the parts it touched.

Owns: how a generation is divided, the manifest that names its parts, and what both look like as
bytes. Not here: how it is put together again (`unpacking`), where parts lie (`policy.ledger` for
gateways, control's database for the history).
Rule: parts follow from the generation alone, whatever was divided before: where one ends says the
name it ends with, so that a row more or less moves the end of one part, not of all behind it. The
manifest has all else that a generation has; who has every part it names has that generation, whole
and no other.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from operator import is_
from typing import Annotated, Any
from zlib import crc32

import msgspec

from policy.model import OFF, MailboxLimits, Name, Rate, Server, Tenant
from policy.plan import BadGenerationError, Generation

VMTAS = 64
"""About so many VirtualMTAs, or pools, are a part: 16 KB."""
MAILBOXES = 256
"""Mailboxes of one tenant: 28 KB, and a third of a millisecond to read."""
_LONGEST = 4
"""Times as many are the most, whatever names say."""

Digest = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
"""Of a part's bytes. It finds out what was spoilt; who may write a ledger can write any plan."""

_encode = msgspec.msgpack.Encoder().encode
_ALONE = ("number", "created", "ledger", "servers", "rate", "provider_rates", "stopped")
"""What stands in the manifest itself: what is small, or another one each time."""


class TenantParts(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Of one tenant: all but its mailboxes, and these in their order."""

    tenant: Digest
    mailboxes: tuple[Digest, ...] = ()


class Manifest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="form",
    tag="parts",
):
    """What a generation consists of."""

    number: int
    created: float
    ledger: Name
    servers: tuple[Server, ...]
    rate: Rate = OFF
    provider_rates: dict[str, Rate] = {}
    stopped: bool = False
    vmtas: tuple[Digest, ...]
    pools: tuple[Digest, ...]
    tenants: tuple[TenantParts, ...]

    def digests(self) -> list[bytes]:
        """Of all its parts, each once."""
        found = dict.fromkeys((*self.vmtas, *self.pools))
        for tenant in self.tenants:
            found[tenant.tenant] = None
            found.update(dict.fromkeys(tenant.mailboxes))
        return list(found)

    def alone(self) -> dict[str, Any]:
        """What it says itself of the generation."""
        return {name: getattr(self, name) for name in _ALONE}


class Part(msgspec.Struct, frozen=True):
    """Rows that stand together."""

    digest: bytes
    rows: tuple[Any, ...]
    names: tuple[str, ...] = ()
    """Of mailboxes, whose limits do not say them; else empty."""

    def body(self) -> bytes:
        """What the digest is of."""
        return _body(self.rows, self.names)


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """A generation, divided."""

    manifest: bytes
    parts: Mapping[bytes, Part]
    """By digest."""
    mailboxes: Mapping[str, tuple[Part, ...]]
    """Tenant to the parts of its mailboxes; those without any are left out."""


class _Form(msgspec.Struct):
    """What both forms of a generation are read as first."""

    form: str = ""


_form = msgspec.msgpack.Decoder(_Form).decode
_manifest = msgspec.msgpack.Decoder(Manifest).decode


def read_manifest(data: bytes) -> Manifest | None:
    """None: it is whole (`plan.decode`), as a control of before published it. Raises
    `BadGenerationError`."""
    try:
        return _manifest(data) if _form(data).form else None
    except msgspec.DecodeError as error:
        raise BadGenerationError(f"not a generation this version reads: {error}") from error


def digest_of(body: bytes) -> bytes:
    """The name of a part."""
    return hashlib.sha256(body).digest()[:16]


class _Mailboxes(msgspec.Struct, frozen=True):
    """Of one tenant, as they were divided."""

    limits: dict[str, MailboxLimits]
    names: tuple[str, ...]
    parts: tuple[Part, ...]


_NONE = _Mailboxes({}, (), ())


class Divider:
    """Of one writer of generations; keeps the parts of the last one: what a change left alone is
    the same object in the next generation, and is neither encoded nor hashed again."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Part, ...]] = {}
        self._tenants: dict[str, tuple[Tenant, Part]] = {}
        self._mailboxes: dict[str, _Mailboxes] = {}

    def divide(self, generation: Generation) -> Division:
        """Pure, but for what it keeps."""
        rows = {
            "vmtas": _divided(generation.vmtas, self._rows.get("vmtas", ())),
            "pools": _divided(generation.pools, self._rows.get("pools", ())),
        }
        tenants: dict[str, tuple[Tenant, Part]] = {}
        mailboxes: dict[str, _Mailboxes] = {}
        for tenant in generation.tenants:
            tenants[tenant.name] = _alone(tenant, self._tenants.get(tenant.name))
            if tenant.mailboxes:
                before = self._mailboxes.get(tenant.name, _NONE)
                mailboxes[tenant.name] = _limited(tenant.mailboxes, before)
        self._rows, self._tenants, self._mailboxes = rows, tenants, mailboxes
        parts = [part for some in rows.values() for part in some]
        parts += [part for _, part in tenants.values()]
        parts += [part for some in mailboxes.values() for part in some.parts]
        named = [
            TenantParts(part.digest, _digests(mailboxes.get(name, _NONE).parts))
            for name, (_, part) in tenants.items()
        ]
        manifest = Manifest(
            **{name: getattr(generation, name) for name in _ALONE},
            vmtas=_digests(rows["vmtas"]),
            pools=_digests(rows["pools"]),
            tenants=tuple(named),
        )
        return Division(
            manifest=_encode(manifest),
            parts={part.digest: part for part in parts},
            mailboxes={name: some.parts for name, some in mailboxes.items()},
        )


def _digests(parts: Sequence[Part]) -> tuple[bytes, ...]:
    return tuple(part.digest for part in parts)


def _body(rows: tuple[Any, ...], names: tuple[str, ...] = ()) -> bytes:
    return _encode(dict(zip(names, rows, strict=True)) if names else rows)


def _part(rows: tuple[Any, ...], names: tuple[str, ...] = ()) -> Part:
    return Part(digest_of(_body(rows, names)), rows, names)


def _cut(names: Sequence[str], about: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of each part. Behind a name that says so: one in `about` does."""
    begin = 0
    for end, name in enumerate(names, 1):
        if crc32(name.encode()) % about == 0 or end - begin == _LONGEST * about:
            yield begin, end
            begin = end
    if begin < len(names):
        yield begin, len(names)


def _same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether they are the same objects: equal ones may be other bytes, as 1 and 1.0 are."""
    return len(some) == len(others) and all(map(is_, some, others))


def _divided(rows: tuple[Any, ...], before: Sequence[Part]) -> tuple[Part, ...]:
    known = {part.rows[0].name: part for part in before}
    found = []
    for begin, end in _cut([row.name for row in rows], VMTAS):
        some, part = rows[begin:end], known.get(rows[begin].name)
        found.append(part if part is not None and _same(part.rows, some) else _part(some))
    return tuple(found)


def _alone(tenant: Tenant, before: tuple[Tenant, Part] | None) -> tuple[Tenant, Part]:
    if before is not None and before[0] is tenant:
        return before
    return tenant, _part((msgspec.structs.replace(tenant, mailboxes={}),))


def _limited(limits: dict[str, MailboxLimits], before: _Mailboxes) -> _Mailboxes:
    if limits is before.limits:
        return before
    names, rows = tuple(limits), tuple(limits.values())
    if names == before.names:
        # The same names end the same parts.
        names, cuts = before.names, _ends(before.parts)
    else:
        cuts = _cut(names, MAILBOXES)
    known = {part.names[0]: part for part in before.parts}
    found = []
    for begin, end in cuts:
        part, some, called = known.get(names[begin]), rows[begin:end], names[begin:end]
        same = part is not None and part.names == called and _same(part.rows, some)
        found.append(part if part is not None and same else _part(some, called))
    return _Mailboxes(limits, names, tuple(found))


def _ends(parts: Sequence[Part]) -> Iterator[tuple[int, int]]:
    begin = 0
    for part in parts:
        yield begin, begin + len(part.names)
        begin += len(part.names)
