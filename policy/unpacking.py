"""A generation put together from its parts, step by step: with 5,000 IPs and 100,000 mailboxes
reading all takes 70 ms, for which a gateway that read it at once would answer nobody.

Owns: the steps. Not here: the shape and its checks (`plan`), what parts are (`division`), who
fetches them and takes a turn between two steps.
Rule: what comes out is what was divided, or nothing. A part that is missing or is not what its
name says is refused, and so is a generation with a problem (`plan.problems`). What is as it was
stays the same object: neither fetched nor read again.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import msgspec

from policy.division import Manifest, TenantParts, digest_of
from policy.model import MailboxLimits, Pool, Tenant, VirtualMta
from policy.plan import BadGenerationError, Generation, looked_over


class BadPartError(BadGenerationError):
    """A part is not there, or spoilt: whoever writes it again mends it, without a number more."""


_vmtas = msgspec.msgpack.Decoder(tuple[VirtualMta, ...]).decode
_pools = msgspec.msgpack.Decoder(tuple[Pool, ...]).decode
_tenant = msgspec.msgpack.Decoder(tuple[Tenant]).decode
_mailboxes = msgspec.msgpack.Decoder(dict[str, MailboxLimits]).decode

Bodies = Mapping[bytes, bytes]
"""Parts by their digests."""


class Unpacking:
    """Of one reader of generations; keeps the parts of the last one that was read."""

    def __init__(self) -> None:
        self._parts: dict[bytes, Any] = {}
        self._tenants: dict[TenantParts, Tenant] = {}

    def lacking(self, manifest: Manifest) -> list[bytes]:
        """The parts that `steps` has to be given."""
        return [digest for digest in manifest.digests() if digest not in self._parts]

    def steps(self, manifest: Manifest, bodies: Bodies) -> Generator[None, None, Generation]:
        """Yields between two steps and returns the generation. Raises `BadGenerationError`."""
        parts: dict[bytes, Any] = {}

        def take(noun: str, digest: bytes, read: Callable[[bytes], Any]) -> bool:
            """Whether it took time."""
            if digest in parts:
                return False
            known = self._parts.get(digest)
            parts[digest] = _read(noun, digest, read, bodies) if known is None else known
            return known is None

        for digest in manifest.vmtas:
            if take("VirtualMTAs", digest, _vmtas):
                yield
        for digest in manifest.pools:
            if take("pools", digest, _pools):
                yield
        tenants: dict[TenantParts, Tenant] = {}
        for place, named in enumerate(manifest.tenants, 1):
            for digest in named.mailboxes:
                if take("mailboxes", digest, _mailboxes):
                    yield
            take("a tenant", named.tenant, _tenant)
            tenant = self._tenants.get(named)
            if tenant is None:
                tenant = yield from _joined(parts[named.tenant][0], named, parts)
            tenants[named] = tenant
            if place % _AT_ONCE == 0:
                yield
        generation = Generation(
            **manifest.alone(),
            vmtas=tuple(v for digest in manifest.vmtas for v in parts[digest]),
            pools=tuple(p for digest in manifest.pools for p in parts[digest]),
            tenants=tuple(tenants[named] for named in manifest.tenants),
        )
        yield
        wrong: list[str] = []
        for some in looked_over(generation):
            wrong += some
            yield
        if wrong:
            raise BadGenerationError("; ".join(wrong))
        self._parts, self._tenants = parts, tenants
        return generation

    def at_once(self, manifest: Manifest, bodies: Bodies) -> Generation:
        """For whom nobody waits. Raises `BadGenerationError`."""
        steps = self.steps(manifest, bodies)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: Generation = end.value
                return found


_AT_ONCE = 20
"""Tenants of one step: a third of a millisecond."""


def checked(noun: str, digest: bytes, bodies: Bodies) -> bytes:
    """A part's body. Raises `BadPartError`."""
    body = bodies.get(digest)
    if body is None:
        raise BadPartError(f"its part {digest.hex()} ({noun}) is missing")
    if digest_of(body) != digest:
        raise BadPartError(f"its part {digest.hex()} ({noun}) is spoilt: its digest is another one")
    return body


def _read(noun: str, digest: bytes, read: Callable[[bytes], Any], bodies: Bodies) -> Any:
    try:
        return read(checked(noun, digest, bodies))
    except msgspec.DecodeError as error:
        raise BadGenerationError(
            f"not a generation this version reads: part {digest.hex()} ({noun}): {error}"
        ) from error


def _joined(
    alone: Tenant, named: TenantParts, parts: Mapping[bytes, Any]
) -> Generator[None, None, Tenant]:
    if not named.mailboxes:
        return alone
    if len(named.mailboxes) == 1:
        return msgspec.structs.replace(alone, mailboxes=parts[named.mailboxes[0]])
    mailboxes: dict[str, MailboxLimits] = {}
    for place, digest in enumerate(named.mailboxes, 1):
        mailboxes.update(parts[digest])
        if place % _AT_ONCE == 0:
            yield
    return msgspec.structs.replace(alone, mailboxes=mailboxes)
