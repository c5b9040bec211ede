"""What the database's errors become, on a real PostgreSQL."""

import pytest

from control.parts import Parts
from control.problem import RefusedError, bad
from control.store.refusal import DatabaseError, unless_taken

_ADD = "INSERT INTO api_token (name, digest, created, role) VALUES ('a', $1, now(), 'read')"


async def test_what_exists_already_is_refused_in_the_sentence_of_who_tried(core: Parts) -> None:
    async with core.pool.acquire() as connection:
        with unless_taken(bad("name", "a is taken")):
            await connection.execute(_ADD, b"1")
        with pytest.raises(RefusedError) as refused, unless_taken(bad("name", "a is taken")):
            await connection.execute(_ADD, b"2")
    assert [(e.field, e.detail) for e in refused.value.errors] == [("name", "a is taken")]


async def test_any_other_error_stays_what_it_is(core: Parts) -> None:
    async with core.pool.acquire() as connection:
        with pytest.raises(DatabaseError, match="nowhere"), unless_taken(bad("name", "taken")):
            await connection.execute("INSERT INTO nowhere VALUES (1)")
