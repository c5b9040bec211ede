"""The key that access tokens are signed with, replaced by hand."""

from control.store.change import Act
from control.users.seal import Secrets
from control.users.signing import Signing
from settings.model import Settings


async def replace(act: Act, settings: Settings, *, at_once: bool) -> str:
    """A new one signs; its id. `at_once`: what the former ones signed is worthless; who has a
    session gets another token with its refresh token. Raises RefusedError."""
    signing = Signing(
        Secrets(settings.control.secret, settings.control.secrets_before),
        settings.ledger.name,
        settings.people,
    )
    kid = await signing.rotate(act.connection, at_once=at_once)
    await act.audit("user.key", kid, None, {"at_once": at_once})
    return kid
