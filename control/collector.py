"""Python's collector of cycles, in a process that holds a plan of a hundred thousand mailboxes.

Rule: what was loaded stays. With Python's defaults each answer of a thousand rows made the
collector look through some of that plan again, to find nothing.
"""

import gc

AFTER = (20_000, 20, 50)
"""Objects made and not let go before the young are looked through, and so many times before those
that are older."""


def spare() -> None:
    """From now on it looks seldom, and not at what there is by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*AFTER)
