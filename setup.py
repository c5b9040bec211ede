"""What mypyc compiles when SENDGATE_COMPILE=1 asks for it: the modules every message passes.

    SENDGATE_COMPILE=1 pip install .        # needs a C compiler and Python's headers

The same source runs either way; without the variable it is plain Python, as it is in a checkout,
where a compiled copy would hide later edits. Rule: a module belongs here when it is on the path of
each message and the profile says so (PERFORMANCE.md); its classes cannot be patched from outside,
and take no keywords (`frozen=True`), for mypyc drops those without a word; and nothing in it is
awaited in an `except` or `finally` (tests/architecture/test_compiled.py says why).
"""

import os

from setuptools import Extension, setup

COMPILED = [
    "gateway/admission.py",
    "gateway/attempt.py",
    "gateway/conversation.py",
    "gateway/datareader.py",
    "gateway/delivery.py",
    "gateway/denials.py",
    "gateway/dialogue.py",
    "gateway/envelope.py",
    "gateway/headers.py",
    "gateway/ids.py",
    "gateway/inbound.py",
    "gateway/linereader.py",
    "gateway/listener.py",
    "gateway/live.py",
    "gateway/log.py",
    "gateway/means.py",
    "gateway/parcel.py",
    "gateway/relay/circuit.py",
    "gateway/relay/line.py",
    "gateway/relay/passes.py",
    "gateway/relay/pool.py",
    "gateway/relay/relay.py",
    "gateway/relay/replies.py",
    "gateway/relay/wire.py",
    "gateway/reserve.py",
    "gateway/routing.py",
    "gateway/service.py",
    "gateway/stamp.py",
    "gateway/tally.py",
    "gateway/telling.py",
    "gateway/trace.py",
    "gateway/transaction.py",
    "policy/address.py",
    "policy/author.py",
    "policy/duplicate.py",
    "policy/identity.py",
    "policy/ledger/line.py",
    "policy/provider.py",
    "policy/reply.py",
]

if os.environ.get("SENDGATE_COMPILE") == "1":
    from mypyc.build import mypycify

    by_hand = Extension("gateway._lineends", ["gateway/_lineends.c"], extra_compile_args=["-O3"])
    setup(ext_modules=[*mypycify(COMPILED, opt_level="3", group_name="sendgate"), by_hand])
else:
    setup()
