"""The processes a supervisor keeps running: which ones, and what it knows of each."""

import asyncio
import subprocess

from settings.model import Settings

Place = tuple[str, int]
"""("worker" or "releaser", number)"""


def places(settings: Settings) -> list[Place]:
    """Who has to run, workers first."""
    releasers = settings.hold.releasers if settings.hold.enabled else 0
    workers = [("worker", index) for index in range(settings.gateway.workers)]
    return workers + [("releaser", index) for index in range(releasers)]


class Child:
    """One worker or releaser process."""

    def __init__(self, process: subprocess.Popen[bytes], place: Place, epoch: int) -> None:
        self.process = process
        self.place = place
        self.epoch = epoch
        self.ready = False
        self.heard = asyncio.get_running_loop().time()
        self.born = self.heard
        self.retired = False
        self.trial = False
        self.fault = ""
        """What in the settings keeps it from starting, in its own words."""

    @property
    def serving(self) -> bool:
        """In its place for good: neither tried out nor replaced."""
        return not self.retired and not self.trial


def name(place: Place) -> str:
    """As logs have it."""
    return f"{place[0]}-{place[1]}"
