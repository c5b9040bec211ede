"""The key of digests that stand for addresses: in the audit log, and for who is forgotten.

Rule: it stays when `control.secret` is replaced, or nobody would be known by what was written of
them before. So it lies in PostgreSQL, sealed as all else; the first one is made of the secret of
then, which is what earlier versions took.
"""

import hashlib

from control import kinds
from control.problem import RefusedError
from control.store.database import Connection
from control.store.keyring import Keyring
from settings.statements import statements

_SQL = statements(__package__, "naming")


def first(secret: str) -> bytes:
    """Of a deployment whose secret was never replaced."""
    return hashlib.sha256(b"sendgate audit " + secret.encode()).digest()


async def naming(pool: Connection, secret: str, before: tuple[str, ...]) -> bytes:
    """The key. Raises RefusedError where it is sealed with none of these."""
    ring = Keyring(secret, before)
    if not ring.ready:
        return first("")
    sealed = await pool.fetchval(_SQL["one"])
    if sealed is None:
        # Whoever upgrades and rotates at once has used the oldest until now.
        await pool.execute(_SQL["put"], ring.closed(first((secret, *before)[-1])))
        sealed = await pool.fetchval(_SQL["one"])
    key = ring.opened(sealed)
    if key is None:
        raise RefusedError(
            "the key of addresses' digests was sealed with another control.secret: name that one "
            "in control.secrets_before",
            kind=kinds.NOT_SET_UP,
        )
    return key
