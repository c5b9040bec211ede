"""The settings a stack runs with: the user's, with its own addresses put in."""

from pathlib import Path

import msgspec

from control.embedded.stack.options import Options
from control.embedded.stack.setup import SERVER
from control.pmta.dkim import new_secret
from control.pmta.generator.text import fits
from control.store.files import write_private
from settings.accounting import Stream
from settings.load import load
from settings.model import Settings


def base(options: Options) -> Settings:
    """What file and environment say. Raises SettingsError."""
    return Settings() if options.isolated else load(options.config)


def own_ledger(settings: Settings) -> bool:
    """Whether the embedded Valkey is wanted: nobody named another."""
    return settings.ledger.url == Settings().ledger.url


def own_database(settings: Settings) -> bool:
    """Whether the embedded PostgreSQL is wanted: nobody named another."""
    return settings.database.url == Settings().database.url


def secret(root: Path) -> str:
    """The key that seals DKIM keys: made once, kept outside PostgreSQL."""
    file = root / "control-secret"
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        write_private(file, new_secret() + "\n")
        return file.read_text(encoding="ascii").strip()


def _keys(folder: Path | None) -> str:
    """Nothing is signed where the folder's name cannot stand in PowerMTA's configuration."""
    return str(folder) if folder is not None and fits(str(folder)) else ""


def effective(
    settings: Settings,
    options: Options,
    *,
    root: Path,
    smtp_port: int,
    api_port: int,
    admin_port: int,
    valkey: str | None,
    postgres: str | None,
    pmta_config: Path,
    pmta_keys: Path | None,
    reload_url: str | None,
    accounting: Path | None,
) -> Settings:
    """`accounting`: the file a stand-in writes. `valkey`, `postgres`, `pmta_keys`, `reload_url`,
    `accounting` None: as the user configured them."""
    replace = msgspec.structs.replace
    first, *others = settings.gateway.listeners
    gateway = replace(
        settings.gateway,
        listeners=(replace(first, port=smtp_port), *others),
        admin_port=admin_port,
        workers=options.workers or settings.gateway.workers,
        state_dir=settings.gateway.state_dir or str(root / "gateway"),
    )
    control = replace(
        settings.control,
        port=api_port,
        secret=settings.control.secret or secret(root),
        pmta_config=settings.control.pmta_config or str(pmta_config),
        pmta_keys=settings.control.pmta_keys or _keys(pmta_keys),
        pmta_reload_url=settings.control.pmta_reload_url if reload_url is None else reload_url,
    )
    streams = settings.accounting.streams
    if accounting is not None and SERVER not in {stream.server for stream in streams}:
        streams = (*streams, Stream(server=SERVER, path=str(accounting)))
    ledger, database = settings.ledger, settings.database
    return replace(
        settings,
        gateway=gateway,
        control=control,
        accounting=replace(settings.accounting, streams=streams),
        # It syncs before every answer and has no replica (`control.embedded.servers.valkey`).
        ledger=ledger if valkey is None else replace(ledger, url=valkey, single=True),
        database=database if postgres is None else replace(database, url=postgres),
    )
