"""Recipients that get no mail any more, looked up again at each release."""

from typing import Protocol


class Suppressions(Protocol):
    """Recipients that must not get mail any more."""

    async def suppressed(self, tenant: str, recipient: bytes) -> bool: ...


class Nobody:
    """No suppression list is kept yet."""

    async def suppressed(self, tenant: str, recipient: bytes) -> bool:
        del tenant, recipient
        return False
