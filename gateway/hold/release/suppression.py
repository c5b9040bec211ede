"""Recipients that get no mail any more, looked up again at each release."""

from typing import Protocol

from policy.suppression import Known


class Suppressions(Protocol):
    """Recipients that must not get mail any more."""

    def known(self, tenant: str, recipient: bytes, domain: str, now: int) -> Known:
        """`domain` in lower case and A-labels, `now` in calendar milliseconds."""
