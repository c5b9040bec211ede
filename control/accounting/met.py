"""How often a thing of a file or a batch was met before. Pure."""

_REMEMBERED = 20_000


class Met:
    """Of one file or batch, things by their digests."""

    def __init__(self) -> None:
        self._times: dict[bytes, int] = {}

    def before(self, digest: bytes) -> int:
        """Of one that is met now."""
        times = self._times.pop(digest, 0)
        self._times[digest] = times + 1
        if len(self._times) > _REMEMBERED:
            # Equal ones are of one transaction, or of one second: none follows so far behind.
            for old in list(self._times)[: _REMEMBERED // 2]:
                del self._times[old]
        return times
