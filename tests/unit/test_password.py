"""What a password costs whoever guesses: asked of processes of their own, where no test made it
cheaper."""

import subprocess
import sys

import pytest

_RECOMMENDED = "$argon2id$v=19$m=65536,t=3,p=4$"
"""RFC 9106 section 4, the second recommended option (64 MiB, three passes, four lanes)."""


_CONTROL = """
import asyncio
from control.tenants.password import hashed
print(asyncio.run(hashed("a-long-password")))
"""
_GATEWAY = """
from gateway.session.auth import Authenticator
print(Authenticator(lambda: None, lambda: 0, parallel=1, remembered=1)._decoy)
"""


@pytest.mark.parametrize(
    "made", [_CONTROL, _GATEWAY], ids=["what control keeps", "what an unknown login is held to"]
)
def test_a_hash_costs_what_the_rfc_recommends(made: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", made], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith(_RECOMMENDED), done.stdout
