"""What weakens a start and stops none: a certificate's days, secrets that are not set."""

from datetime import UTC, datetime, timedelta

from policy.isotime import instant_of
from settings.model import Gateway, Settings
from settings.tls import certificate_life

_SOON = timedelta(days=14)


def lifetime_problems(gateway: Gateway) -> list[str]:
    """Certificates that no client takes today."""
    return [
        f"gateway.certificate: {gateway.certificate} is valid from {first:%Y-%m-%d} to "
        f"{last:%Y-%m-%d} only: renew it, and reload the gateway"
        for first, last in _lives(gateway)
        if not first <= datetime.now(UTC) <= last
    ]


def weaknesses(settings: Settings) -> list[str]:
    """What will be missed, with its fix."""
    found = _ending(settings.gateway)
    if not settings.control.secret:
        found.append(
            "control.secret: not set, so no domain can be added (it seals DKIM keys): give "
            "SENDGATE_CONTROL_SECRET, 32 octets in URL-safe base64"
        )
    return found


def certificate_end(gateway: Gateway) -> str:
    """ISO time; empty where there is none, or the file is not on this node."""
    return next((instant_of(last) for _, last in _lives(gateway)), "")


def certificate_troubles(gateway: Gateway) -> list[str]:
    """That no client takes it, or soon will not."""
    return [*lifetime_problems(gateway), *_ending(gateway)]


def _ending(gateway: Gateway) -> list[str]:
    now = datetime.now(UTC)
    return [
        f"gateway.certificate: {gateway.certificate} ends on {last:%Y-%m-%d}: renew it"
        for _, last in _lives(gateway)
        if now <= last < now + _SOON
    ]


def _lives(gateway: Gateway) -> list[tuple[datetime, datetime]]:
    """From when to when; of a file that cannot be read others have said so."""
    try:
        life = certificate_life(gateway)
    except (OSError, ValueError):
        return []
    return [] if life is None else [life]
