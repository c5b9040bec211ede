"""What weakens a start and stops none: a certificate's days, secrets that are not set."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from policy.isotime import instant_of
from settings.control import Control
from settings.model import Gateway, Settings
from settings.tls import certificate_life

_SOON = timedelta(days=14)


class _Shown(NamedTuple):
    """A certificate that is shown to who connects."""

    of: str
    """Part of ours that shows it, and section of the settings that names it."""
    file: str
    first: datetime
    last: datetime

    @property
    def setting(self) -> str:
        return f"{self.of}.certificate"


def lifetime_problems(settings: Settings) -> list[str]:
    """Certificates that no client takes today."""
    return [
        f"{shown.setting}: {shown.file} is valid from {shown.first:%Y-%m-%d} to "
        f"{shown.last:%Y-%m-%d} only: renew it, and reload the {shown.of}"
        for shown in _shown(settings)
        if not shown.first <= datetime.now(UTC) <= shown.last
    ]


def weaknesses(settings: Settings) -> list[str]:
    """What will be missed, with its fix."""
    found = _ending(settings)
    if not settings.control.secret:
        found.append(
            "control.secret: not set, so no domain can be added (it seals DKIM keys): give "
            "SENDGATE_CONTROL_SECRET, 32 octets in URL-safe base64"
        )
    return found


def certificate_end(settings: Settings) -> str:
    """Of the gateway's, in ISO time; empty where there is none, or the file is not on this node."""
    return next((instant_of(shown.last) for shown in _of("gateway", settings.gateway)), "")


def certificate_troubles(settings: Settings) -> list[str]:
    """That no client takes it, or soon will not."""
    return [*lifetime_problems(settings), *_ending(settings)]


def _ending(settings: Settings) -> list[str]:
    now = datetime.now(UTC)
    return [
        f"{shown.setting}: {shown.file} ends on {shown.last:%Y-%m-%d}: renew it"
        for shown in _shown(settings)
        if now <= shown.last < now + _SOON
    ]


def _shown(settings: Settings) -> list[_Shown]:
    return [*_of("gateway", settings.gateway), *_of("control", settings.control)]


def _of(name: str, having: Gateway | Control) -> list[_Shown]:
    """One, or none; of a file that cannot be read others have said so."""
    try:
        life = certificate_life(having)
    except (OSError, ValueError):
        return []
    return [] if life is None else [_Shown(name, having.certificate, *life)]
