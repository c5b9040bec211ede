"""How rarely chance alone shows so many: the exact tail of the binomial distribution.

Exact, and not an approximation, since the small stages are where it decides: of 350 mails three
complaints are proof and two are not, and a normal approximation says otherwise.
"""

import math

_NEGLIGIBLE = 1e-18


def tail(k: int, n: int, p: float) -> float:
    """P(X >= k) where each of n shows it with probability p. Raises ValueError for what is no
    count or no probability."""
    if n < 0 or not 0.0 <= p <= 1.0:
        raise ValueError(f"{n} of probability {p} is no sample")
    if k <= 0:
        return 1.0
    if k > n or p == 0.0:
        return 0.0
    if p == 1.0:
        return 1.0
    if k <= n * p:
        # The terms rise up to the mean: summed from the other end, where they fall.
        return max(0.0, 1.0 - tail(n - k + 1, n, 1.0 - p))
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    log += k * math.log(p) + (n - k) * math.log1p(-p)
    odds = p / (1.0 - p)
    # Relative to the first term, which alone may be too small for a float.
    sum_, term, i = 1.0, 1.0, k
    while i < n and term > _NEGLIGIBLE * sum_:
        term *= (n - i) / (i + 1) * odds
        sum_ += term
        i += 1
    return min(1.0, math.exp(log) * sum_) if log > -700 else 0.0
