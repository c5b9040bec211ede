"""How long to wait behind a failure. Pure."""


def wait_behind(failures: int, first: float, most: float, chance: float) -> float:
    """Seconds behind the so-manieth failure in a row (from 1 on), doubling from `first` to `most`.

    Half of it is `chance` (from 0 to 1): a hundred agents whose control went away do not come back
    in one second (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015: equal jitter)."""
    whole = min(most, first * 2.0 ** min(failures - 1, 30))
    return whole / 2 + whole / 2 * chance
