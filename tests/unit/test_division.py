"""A generation in parts is the one that was divided, whatever was divided before; a part that is
not what its name says is none."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import division
from policy.division import Divider, Manifest, digest_of, read_manifest
from policy.model import MailboxLimits, Pool
from policy.plan import BadGenerationError, Generation, decode, encode
from policy.unpacking import BadPartError, Unpacking
from tests.support.gateway.generations import generation, tenant, vmta


def plan(tenants: int = 2, mailboxes: int = 3, **changes: Any) -> Generation:
    names = [f"t{n}" for n in range(tenants)]
    limits = {f"m{n:05}@x.example": MailboxLimits(daily_min=n) for n in range(mailboxes)}
    return generation(
        *(vmta(n) for n in range(1, 255)),
        tenants=tuple(tenant(name, mailboxes=dict(limits)) for name in names),
        pools=tuple(Pool(name=f"{name}-pool", tenant=name) for name in names),
        **changes,
    )


def divided(made: Generation, by: Divider | None = None) -> tuple[Manifest, dict[bytes, bytes]]:
    found = (by or Divider()).divide(made)
    manifest = read_manifest(found.manifest)
    assert manifest is not None
    assert set(manifest.digests()) == set(found.parts)
    return manifest, {digest: part.body() for digest, part in found.parts.items()}


def with_mailboxes(made: Generation, place: int, mailboxes: Any) -> Generation:
    tenants = list(made.tenants)
    tenants[place] = msgspec.structs.replace(tenants[place], mailboxes=mailboxes)
    return msgspec.structs.replace(made, number=made.number + 1, tenants=tuple(tenants))


def changed(made: Generation, dice: random.Random) -> Generation:
    """As a change makes it: what it leaves alone is the same object."""
    place = dice.randrange(len(made.tenants))
    own = made.tenants[place].mailboxes
    match dice.randrange(5):
        case 0:
            after = own | {f"m{dice.randrange(99_999):05}@x.example": MailboxLimits(daily_max=1)}
            return with_mailboxes(made, place, dict(sorted(after.items())))
        case 1:
            gone = dice.sample(sorted(own), min(len(own), 3))
            left = {name: limits for name, limits in own.items() if name not in gone}
            return with_mailboxes(made, place, left)
        case 2:
            after = {n: MailboxLimits(daily_max=dice.randrange(9)) for n in list(own)[:2]}
            return with_mailboxes(made, place, {**own, **after})
        case 3:
            rows = list(made.vmtas)
            at = dice.randrange(len(rows))
            rows[at] = msgspec.structs.replace(rows[at], daily=dice.randrange(99))
            return msgspec.structs.replace(made, number=made.number + 1, vmtas=tuple(rows))
    stopped = not made.stopped
    return msgspec.structs.replace(made, number=made.number + 1, stopped=stopped)


@given(st.integers(0, 2**32))
def test_whatever_changed_before_the_parts_are_those_of_the_whole(seed: int) -> None:
    """Small parts, so that what a change does to where they end is seen."""
    dice = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(division, "MAILBOXES", 4)
        patch.setattr(division, "VMTAS", 8)
        made, divider, reader = plan(3, 40), Divider(), Unpacking()
        for _ in range(8):
            manifest, bodies = divided(made, divider)
            assert (manifest, bodies) == divided(made)
            # Who knows the parts of before is given those it lacks, and no other.
            given_ = {digest: bodies[digest] for digest in reader.lacking(manifest)}
            found = reader.at_once(manifest, given_)
            assert encode(found) == encode(made) == encode(decode(encode(made)))
            made = changed(made, dice)


def test_a_change_is_a_part_or_two() -> None:
    before = plan(1, 20_000)
    divider = Divider()
    _, former = divided(before, divider)
    own = before.tenants[0].mailboxes
    assert max(map(len, former.values())) < 150_000
    for after in (
        with_mailboxes(before, 0, {**own, "m00007@x.example": MailboxLimits(daily_max=1)}),
        with_mailboxes(before, 0, dict(sorted({**own, "m00007a@x": MailboxLimits()}.items()))),
        msgspec.structs.replace(before, stopped=True),
    ):
        _, bodies = divided(after, divider)
        assert len(bodies.keys() - former.keys()) <= 2


def test_what_is_as_it_was_stays_the_same_object() -> None:
    reader = Unpacking()
    first = reader.at_once(*divided(plan(3, 5)))
    second = plan(3, 5, number=2)
    last = msgspec.structs.replace(second.tenants[2], paused=True)
    made = msgspec.structs.replace(second, tenants=(*second.tenants[:2], last))
    found = reader.at_once(*divided(made))
    assert found == made
    assert [a is b for a, b in zip(first.tenants, found.tenants, strict=True)] == [
        *(True, True),
        False,
    ]
    assert all(a is b for a, b in zip(first.vmtas, found.vmtas, strict=True))


def test_a_large_tenant_is_read_in_many_steps() -> None:
    manifest, bodies = divided(plan(1, 30_000))
    assert sum(1 for _ in Unpacking().steps(manifest, bodies)) > 100


def test_a_manifest_has_all_that_a_generation_has() -> None:
    """A field that is missing there would be read as its default."""
    fields = [f.name for f in msgspec.structs.fields(Generation)]
    assert sorted(f.name for f in msgspec.structs.fields(Manifest)) == sorted(fields)


def test_a_part_that_is_missing_or_spoilt_is_named_and_nothing_is_kept() -> None:
    manifest, bodies = divided(plan())
    for noun, digest in (
        ("VirtualMTAs", manifest.vmtas[0]),
        ("pools", manifest.pools[0]),
        ("mailboxes", manifest.tenants[1].mailboxes[0]),
        ("a tenant", manifest.tenants[1].tenant),
    ):
        reader = Unpacking()
        with pytest.raises(BadPartError, match=f"{digest.hex()} .{noun}. is missing"):
            reader.at_once(manifest, {d: b for d, b in bodies.items() if d != digest})
        with pytest.raises(BadPartError, match=f"{digest.hex()} .{noun}. is spoilt"):
            reader.at_once(manifest, bodies | {digest: bodies[digest][:-1]})
        assert len(reader.lacking(manifest)) == len(bodies)
        assert reader.at_once(manifest, bodies) == plan()


def replaced(made: Generation, spoil: Any) -> tuple[Manifest, dict[bytes, bytes]]:
    """With the part of the last tenant as another version, or nobody, would have made it."""
    manifest, bodies = divided(made)
    [row] = msgspec.msgpack.decode(bodies.pop(manifest.tenants[-1].tenant))
    spoil(row)
    body = msgspec.msgpack.encode([row])
    last = msgspec.structs.replace(manifest.tenants[-1], tenant=digest_of(body))
    tenants = (*manifest.tenants[:-1], last)
    return msgspec.structs.replace(manifest, tenants=tenants), {**bodies, digest_of(body): body}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row.update(unheard_of=1),
        lambda row: row.update(name="no name"),
        lambda row: row.update(default_pool="nowhere"),
        lambda row: row.update(networks=["x"]),
    ],
)
def test_what_cannot_be_used_is_refused_for_good(spoil: Any) -> None:
    with pytest.raises(BadGenerationError) as found:
        Unpacking().at_once(*replaced(plan(), spoil))
    assert not isinstance(found.value, BadPartError)


def test_a_generation_with_a_problem_is_not_kept() -> None:
    reader = Unpacking()
    with pytest.raises(BadGenerationError, match="pool t0-pool, which does not exist"):
        reader.at_once(*divided(msgspec.structs.replace(plan(), pools=())))
    assert reader.at_once(*divided(plan())) == plan()


def test_each_version_knows_the_form_it_cannot_read() -> None:
    found = Divider().divide(plan())
    with pytest.raises(BadGenerationError, match="not a generation this version reads"):
        decode(found.manifest)
    assert read_manifest(encode(plan())) is None, "as a control of before published it"
    for data in (
        b"\xc1",
        found.manifest[:-1],
        msgspec.msgpack.encode({"form": "shards"}),
        msgspec.msgpack.encode({**msgspec.msgpack.decode(found.manifest), "vmtas": [b"short"]}),
        msgspec.msgpack.encode({**msgspec.msgpack.decode(found.manifest), "unheard_of": 1}),
    ):
        with pytest.raises(BadGenerationError, match="not a generation this version reads"):
            read_manifest(data)
