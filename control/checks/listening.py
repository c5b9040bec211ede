"""Addresses that are to be listened on: has this machine each of them?"""

import socket

from settings.model import Settings


def listening_problems(settings: Settings) -> list[str]:
    """Hosts that no process could bind here, one sentence each; ports are not looked at, for who
    runs already has them."""
    gateway = settings.gateway
    hosts = [(f"gateway.listeners[{i}].host", li.host) for i, li in enumerate(gateway.listeners)]
    hosts += [("gateway.admin_host", gateway.admin_host), ("control.host", settings.control.host)]
    return [f"{field}: {text}" for field, host in hosts if (text := _problem(host))]


def _problem(host: str) -> str:
    # As the gateway binds: what has a colon is IPv6.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except (socket.gaierror, UnicodeError):
            return f"{host} cannot be resolved: name an address of this machine, or 0.0.0.0 for all"
        except OSError as error:
            why = error.strerror
            return (
                f"this machine cannot listen on {host} ({why}): name an address it has, or 0.0.0.0"
            )
    return ""
