"""A generation read step by step: with 5,000 IPs and 100,000 mailboxes reading it takes 50 ms, for
which a gateway that read it at once would answer nobody.

Owns: the steps. Not here: the shape and its checks (`plan`), who takes a turn between two steps.
Rule: what comes out is what `plan.decode` makes of the same bytes, and so is what is refused. Lists
are taken apart without being read, then read in parts; a tenant that is as it was stays the same
object. The longest step is taking the whole, or 5,000 IPs, apart: 5 ms. Only a tenant that has
100,000 mailboxes by itself takes 35 ms where it changed: naming them is one step.
Failure: `BadGenerationError`, as of `plan.decode`.
"""

import hashlib
from collections.abc import Generator
from typing import Any

import msgspec

from policy.model import MailboxLimits, Pool, Tenant, VirtualMta
from policy.plan import BadGenerationError, Generation, looked_over

LARGE = 262_144
"""Octets of a tenant from which its mailboxes are read in parts: some 2,500 of them."""
_AT_ONCE = 250
"""VirtualMTAs or pools of one step: a quarter of a millisecond."""
_MAILBOXES = 2_500
_SLICE = 1 << 20
"""Octets of a digest's step: a millisecond."""


def _with(kind: type[msgspec.Struct], **others: Any) -> msgspec.msgpack.Decoder[Any]:
    """A decoder of the same struct with other types of some fields."""
    fields = [
        (f.name, others.get(f.name, f.type), msgspec.field(default=f.default))
        if f.default is not msgspec.NODEFAULT
        else (f.name, others.get(f.name, f.type))
        for f in msgspec.structs.fields(kind)
    ]
    made = msgspec.defstruct(
        kind.__name__, fields, frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    return msgspec.msgpack.Decoder(made)


_whole = _with(Generation, vmtas=msgspec.Raw, pools=msgspec.Raw, tenants=msgspec.Raw)
_large = _with(Tenant, mailboxes=msgspec.Raw)
_list = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_named = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_limits = msgspec.msgpack.Decoder(MailboxLimits).decode
_small = msgspec.msgpack.Decoder(Tenant).decode
_decode: dict[str, Any] = {
    "vmtas": msgspec.msgpack.Decoder(VirtualMta).decode,
    "pools": msgspec.msgpack.Decoder(Pool).decode,
}


class Unpacking:
    """Of one reader of generations; keeps the tenants of the last one that was read."""

    def __init__(self) -> None:
        self._tenants: dict[bytes, Tenant] = {}
        """By the digest of what they were read from."""

    def steps(self, data: bytes) -> Generator[None, None, Generation]:
        """Yields between two steps and returns the generation. Raises `BadGenerationError`."""
        try:
            shell = _whole.decode(data)
            yield
            vmtas = yield from _rows(shell, "vmtas")
            pools = yield from _rows(shell, "pools")
            known: dict[bytes, Tenant] = {}
            tenants = []
            for row in _list(shell.tenants) if shell.tenants else ():
                digest = yield from _digest(row)
                tenant = self._tenants.get(digest)
                if tenant is None:
                    tenant = yield from _tenant(row)
                tenants.append(tenant)
                known[digest] = tenant
                yield
        except msgspec.DecodeError as error:
            raise BadGenerationError(f"not a generation this version reads: {error}") from error
        fields = {f.name: getattr(shell, f.name) for f in msgspec.structs.fields(Generation)}
        fields |= {"vmtas": vmtas, "pools": pools, "tenants": tuple(tenants)}
        generation = Generation(**fields)
        wrong: list[str] = []
        for some in looked_over(generation):
            wrong += some
            yield
        if wrong:
            raise BadGenerationError("; ".join(wrong))
        self._tenants = known
        return generation


def _rows(shell: Any, name: str) -> Generator[None, None, tuple[Any, ...]]:
    raw, decode, found = getattr(shell, name), _decode[name], []
    # What is left out is none.
    for place, row in enumerate(_list(raw) if raw else (), 1):
        found.append(decode(row))
        if place % _AT_ONCE == 0:
            yield
    return tuple(found)


def _digest(row: msgspec.Raw) -> Generator[None, None, bytes]:
    """No secret: two rows of control's that are told apart."""
    digest, whole = hashlib.sha1(usedforsecurity=False), memoryview(row)
    for begin in range(0, len(whole), _SLICE):
        if begin:
            yield
        digest.update(whole[begin : begin + _SLICE])
    return digest.digest()


def _tenant(row: msgspec.Raw) -> Generator[None, None, Tenant]:
    if len(row) <= LARGE:
        return _small(row)
    shell = _large.decode(row)
    yield
    limits = _named(shell.mailboxes) if shell.mailboxes else {}
    yield
    mailboxes: dict[str, MailboxLimits] = {}
    for place, (name, raw) in enumerate(limits.items(), 1):
        mailboxes[name] = _limits(raw)
        if place % _MAILBOXES == 0:
            yield
    fields = {f.name: getattr(shell, f.name) for f in msgspec.structs.fields(Tenant)}
    return Tenant(**{**fields, "mailboxes": mailboxes})
