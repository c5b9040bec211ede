"""Hands a configuration to PowerMTA: writes key files and the file, has it tested and reloaded,
takes it back if refused.

Rule: PowerMTA knows a VirtualMTA for as long as any gateway names it: what is new comes here before
it is published and is taken back with a change that was not, what is gone comes here last.
A text that did not change is not handed over again: pausing an IP must work while PowerMTA is down.
"""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from control.problem import RefusedError, said
from control.store.files import write_private
from settings.secret import masked

RELOAD_TIMEOUT = 10.0


class Former(msgspec.Struct, frozen=True):
    """What PowerMTA had before a hand-over; None: no file."""

    text: str | None


class Handover:
    """One file, one folder of keys and one web monitor; each may be absent."""

    def __init__(self, file: str, reload_url: str, *, api_key: str = "", keys: str = "") -> None:
        self._file = Path(file) if file else None
        self._url = reload_url
        self._where = f"PowerMTA at {masked(reload_url)}"
        self._headers = {"X-API-Key": api_key} if api_key else {}
        self._keys = Path(keys) if keys else None

    @property
    def reloads(self) -> bool:
        """Whether PowerMTA has a change when it is in force; else an operator applies it."""
        return self._file is not None and bool(self._url)

    @property
    def has_keys(self) -> bool:
        """Whether the folder of the key files is on this machine."""
        return self._keys is not None and self._keys.is_dir()

    async def text(self) -> str | None:
        """What PowerMTA has; None: no file."""
        return None if self._file is None else await asyncio.to_thread(_read, self._file)

    async def put(self, text: str, keys: Mapping[str, bytes] | None = None) -> Former | None:
        """Make `text` PowerMTA's configuration; what it was, None when it was that. `keys`: DKIM
        key files by name, written where their folder is on this machine; one too many does no harm.

        Raises RefusedError, with the former file in place, when PowerMTA did not take it."""
        if self._file is None:
            return None
        if self._keys is not None and self._keys.is_dir():
            await asyncio.to_thread(write_keys, self._keys, keys or {})
        before = await asyncio.to_thread(_read, self._file)
        if before == text:
            return None
        try:
            await asyncio.to_thread(_write, self._file, text)
            if self._url:
                # A file that is wrong must not wait on disk for PowerMTA's next start.
                await self._command("test config")
                await self._command("reload")
        except (RefusedError, OSError) as error:
            await self._restore(before)
            if isinstance(error, RefusedError):
                raise
            raise RefusedError(
                f"cannot write the PowerMTA configuration {self._file}: {error.strerror}",
                status=503,
            ) from error
        return Former(before)

    async def take_back(self, former: Former) -> None:
        """Undo a hand-over. Raises RefusedError when PowerMTA did not take it; the file is back."""
        await self._restore(former.text)
        if self._url and former.text is not None:
            await self._command("reload")

    async def _restore(self, text: str | None) -> None:
        assert self._file is not None
        if text is not None:
            await asyncio.to_thread(_write, self._file, text)
        else:
            self._file.unlink(missing_ok=True)

    async def forget_keys(self, names: Iterable[str]) -> None:
        """Delete DKIM key files, where their folder is on this machine. Raises RefusedError."""
        if self._keys is not None and self._keys.is_dir():
            await asyncio.to_thread(delete_keys, self._keys, sorted(names))

    async def _command(self, command: str) -> None:
        # Commands show what comes of it, and import a client of their own or none.
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=RELOAD_TIMEOUT)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session,
                session.post(self._url, data={"command": command}) as response,
            ):
                text = (await response.text()).strip()
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RefusedError(
                f"{self._where} does not answer ({said(error)}): it must load "
                "the new VirtualMTAs first, so nothing was changed",
                status=503,
            ) from error
        if status in (401, 403):
            raise RefusedError(
                f"{self._where} answers {status}: set control.pmta_api_key to its "
                "http-api-key, or admit control's address with http-access",
                status=503,
            )
        if status != 200:
            first = text.splitlines()[0][:300] if text else f"HTTP {status}"
            refused = "PowerMTA refused the new configuration"
            raise RefusedError(f"{refused}: {first}", alone=f"{refused}: nothing was changed")


def write_keys(folder: Path, keys: Mapping[str, bytes]) -> None:
    """Write the key files that differ, mode 0600. Raises RefusedError."""
    for name, pem in keys.items():
        file, text = folder / name, pem.decode("ascii")
        try:
            if not file.exists() or file.read_text(encoding="ascii") != text:
                write_private(file, text)
        except OSError as error:
            raise RefusedError(
                f"cannot write the DKIM key {file}: {error.strerror}",
                status=503,
                alone="a DKIM key cannot be written: nothing was changed",
            ) from error


def delete_keys(folder: Path, names: Iterable[str]) -> None:
    """Delete key files, those that are there. Raises RefusedError."""
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise RefusedError(
                f"cannot delete the DKIM key {folder / name}: {error.strerror}", status=503
            ) from error


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
