"""The listening sockets, bound once by the parent: workers inherit them."""

import socket


def bind(host: str, port: int) -> socket.socket:
    """Raises OSError, naming the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, UnicodeError) as error:
        bound.close()
        why = error.strerror if isinstance(error, OSError) else "no host has such a name"
        raise OSError(f"cannot listen on {host}:{port}: {why}") from error
    bound.listen(1024)
    bound.setblocking(False)
    return bound
