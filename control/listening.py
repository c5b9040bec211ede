"""Where the API listens: in HTTPS with a certificate of its own, else in plain HTTP.

Rule: a certificate is taken anew without a connection lost; where the new pair cannot be used, what
was shown before stays. Failure: RefusedError for a port that is taken.
"""

import logging
import ssl

from aiohttp import web

from control.problem import RefusedError
from settings.control import Control
from settings.tls import control_problems, load, server_context

log = logging.getLogger(__name__)


class Listening:
    """One address."""

    def __init__(self, settings: Control) -> None:
        """Raises RefusedError where it may not listen so, or its certificate cannot be used."""
        if problems := control_problems(settings):
            raise RefusedError("; ".join(problems))
        self._settings = settings
        self._context: ssl.SSLContext | None = server_context(settings)

    async def start(self, runner: web.AppRunner) -> str:
        """The URL it is reached at."""
        host, port = self._settings.host, self._settings.port
        try:
            await web.TCPSite(runner, host, port, ssl_context=self._context).start()
        except OSError as error:
            raise RefusedError(
                f"cannot listen on {host}:{port} ({error.strerror}); free the port or choose "
                "another (control.port, or --api-port)"
            ) from error
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"http{'s' if self._context else ''}://{shown}:{address[1]}"

    def strict(self, application: web.Application) -> None:
        """Has browsers that meet us in HTTPS ask in nothing else (RFC 6797 section 7.2: over plain
        HTTP the header must not be sent)."""
        seconds = self._settings.strict_transport
        if self._context is None or not seconds:
            return

        async def say(_: web.Request, response: web.StreamResponse) -> None:
            response.headers["Strict-Transport-Security"] = f"max-age={seconds}"

        application.on_response_prepare.append(say)

    def renew(self) -> None:
        """Shows who connects from now on what the files have now."""
        if self._context is None:
            log.warning("SIGHUP: control has no certificate to read anew")
            return
        # Tried apart: half of a pair would stay where the other half is refused.
        if problems := control_problems(self._settings):
            log.error("SIGHUP: the certificate of before stays: %s", "; ".join(problems))
            return
        load(self._context, self._settings)
        # As a warning, for nothing less is printed: who renewed it wants to read it.
        log.warning("SIGHUP: the certificate was read anew")
