"""What runs here, since when, and how long the certificate that clients are shown lasts."""

import time
from importlib.metadata import version

from gateway.watch import metrics
from gateway.watch.log import Log
from settings.model import Gateway
from settings.tls import certificate_life

_BUILD = metrics.gauge(
    "sendgate_build_info",
    "1; the version of Sendgate that runs is its label.",
    ["version"],
    workers="livemin",
)
_STARTED = metrics.gauge(
    "sendgate_start_time_seconds",
    "When the oldest of the workers started, in seconds since 1970.",
    workers="livemin",
)
_END = metrics.gauge(
    "sendgate_certificate_expiry_timestamp_seconds",
    "When the certificate that clients are shown ends, in seconds since 1970; the earliest of the "
    "workers. Absent where no listener offers TLS.",
    ["shown_to"],
    workers="livemin",
)


def introduce(gateway: Gateway, log: Log) -> None:
    """Once, when a worker starts."""
    _BUILD.labels(version("sendgate")).set(1)
    _STARTED.set(time.time())
    try:
        life = certificate_life(gateway)
    except (OSError, ValueError) as error:
        # TLS has it loaded: only when it ends is not known.
        log.warning("certificate_unread", why=str(error))
        return
    if life is not None:
        _END.labels("clients").set(life[1].timestamp())
