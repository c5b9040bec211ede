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
    "gateway/delivery/attempt.py",
    "gateway/delivery/delivery.py",
    "gateway/delivery/hop.py",
    "gateway/delivery/screening.py",
    "gateway/delivery/telling.py",
    "gateway/delivery/transaction.py",
    "gateway/ledger/denials.py",
    "gateway/ledger/queue.py",
    "gateway/ledger/reserve.py",
    "gateway/message/headers.py",
    "gateway/message/ids.py",
    "gateway/message/outcomes.py",
    "gateway/message/routing.py",
    "gateway/message/stamp.py",
    "gateway/message/trace.py",
    "gateway/relay/circuit.py",
    "gateway/relay/passes.py",
    "gateway/relay/pipeline.py",
    "gateway/relay/pool.py",
    "gateway/relay/relay.py",
    "gateway/relay/replies.py",
    "gateway/relay/wire.py",
    "gateway/session/admission.py",
    "gateway/session/conversation.py",
    "gateway/session/datareader.py",
    "gateway/session/dialogue.py",
    "gateway/session/envelope.py",
    "gateway/session/inbound.py",
    "gateway/session/linereader.py",
    "gateway/session/listener.py",
    "gateway/session/service.py",
    "gateway/sessions.py",
    "gateway/watch/log.py",
    "gateway/watch/tally.py",
    "policy/address.py",
    "policy/author.py",
    "policy/duplicate.py",
    "policy/fairness.py",
    "policy/fronts.py",
    "policy/identity.py",
    "policy/ledger/rawconnection.py",
    "policy/provider.py",
    "policy/reply.py",
    "policy/round.py",
    "policy/turns.py",
]

if os.environ.get("SENDGATE_COMPILE") == "1":
    from mypyc.build import mypycify

    by_hand = Extension(
        "gateway.session._lineends", ["gateway/session/_lineends.c"], extra_compile_args=["-O3"]
    )
    setup(ext_modules=[*mypycify(COMPILED, opt_level="3", group_name="sendgate"), by_hand])
else:
    setup()
