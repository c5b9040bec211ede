"""The function that decides a batch, as a library that the server keeps (FUNCTION LOAD).

Made of pieces, one noun each; a piece uses those before it. A script would make its 70 functions
anew in every run, and could keep nothing from one run to the next.
Rule: a library is named by its text's digest, and so is its function. Two versions of Sendgate
stand side by side on one server, and none ever replaces another's. A server that does not know
the function has not run it: whoever is told so loads the library and asks again, under the same
batch id.
"""

import contextlib
import hashlib
from functools import cache
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from policy.ledger.scripts import read

STEM = "sendgate_decide_"
_PIECES = (
    "prelude", "keeping", "counting", "rating", "former", "choosing", "limiting", "buckets",
    "remembering", "gathering", "decide",
)  # fmt: skip

UNKNOWN = "Function not found"
"""What a server says that does not have the function; nothing has run."""

KNOWN = "already exists"
"""What it says when another process was quicker to load it."""


@cache
def function() -> str:
    """Its name, and its library's."""
    return STEM + hashlib.sha256(_text().encode()).hexdigest()[:16]


@cache
def library() -> str:
    """What FUNCTION LOAD is given."""
    name = function()
    return f"#!lua name={name}\n{_text()}redis.register_function('{name}', decide_batch)\n"


@cache
def _text() -> str:
    return "".join(map(read, _PIECES))


MOST_VERSIONS = 4
"""Libraries of ours that stay on a server: those of a rolling upgrade and of going back."""


async def tidy(client: Redis) -> None:
    """Remove the libraries of other versions once there are too many: they are in the append-only
    file and never expire. One that is still in use comes back by itself, at its next batch.

    A user who may not ask or delete leaves them, and so does a connection that breaks: the
    publication that came before it stands, and the next one tries again."""
    functions = cast(Any, client)
    with contextlib.suppress(RedisError):
        found = await functions.execute_command("FUNCTION", "LIST", "LIBRARYNAME", f"{STEM}*")
        names = [_name(one) for one in found]
        if len(names) > MOST_VERSIONS:
            for name in names:
                if name != function():
                    await functions.execute_command("FUNCTION", "DELETE", name)


def _name(listed: Any) -> str:
    """A library's name: FUNCTION LIST describes each by a map (RESP3) or a flat list."""
    pairs = (
        listed if isinstance(listed, dict) else dict(zip(listed[::2], listed[1::2], strict=True))
    )
    return cast(bytes, pairs[b"library_name"]).decode()
