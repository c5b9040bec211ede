"""Hands a configuration to PowerMTA: writes the file, asks for a reload, takes it back if refused.

Rule: PowerMTA knows a VirtualMTA before any gateway names it, so this comes before publishing.
A text that did not change is not handed over again: pausing an IP must work while PowerMTA is down.
"""

import asyncio
from pathlib import Path

import aiohttp

from control.problem import RefusedError

RELOAD_TIMEOUT = 10.0


class Handover:
    """One file and one web monitor; either may be absent."""

    def __init__(self, file: str, reload_url: str) -> None:
        self._file = Path(file) if file else None
        self._url = reload_url

    async def put(self, text: str) -> bool:
        """Make `text` PowerMTA's configuration; whether it changed.

        Raises RefusedError, with the former file in place, when PowerMTA did not take it."""
        if self._file is None:
            return False
        before = await asyncio.to_thread(_read, self._file)
        if before == text:
            return False
        try:
            await asyncio.to_thread(_write, self._file, text)
            await self._reload()
        except (RefusedError, OSError) as error:
            if before is not None:
                await asyncio.to_thread(_write, self._file, before)
            else:
                self._file.unlink(missing_ok=True)
            if isinstance(error, RefusedError):
                raise
            raise RefusedError(
                f"cannot write the PowerMTA configuration {self._file}: {error.strerror}",
                status=503,
            ) from error
        return True

    async def _reload(self) -> None:
        if not self._url:
            return
        timeout = aiohttp.ClientTimeout(total=RELOAD_TIMEOUT)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url, data={"command": "reload"}) as response,
            ):
                text = (await response.text()).strip()
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RefusedError(
                f"PowerMTA at {self._url} does not answer ({error or 'timed out'}): it must load "
                "the new VirtualMTAs first, so nothing was changed",
                status=503,
            ) from error
        if status != 200:
            first = text.splitlines()[0][:300] if text else f"HTTP {status}"
            raise RefusedError(f"PowerMTA refused the new configuration: {first}")


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _write(file: Path, text: str) -> None:
    """Whole or not at all: PowerMTA may be reading it."""
    scratch = file.with_name(f".{file.name}.new")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(file)
