"""The PowerMTA stand-in beside a stack: its configuration, its process, its calendar."""

from pathlib import Path

import aiohttp

from control.embedded.stack.child import Child, warn
from control.pmta.generator.records import ACCT_FILE
from policy.model import Address


class StandIn:
    """`python -m loadtest.pmta`, with the generated configuration."""

    def __init__(self, directory: Path, log: Path, config: Path, smtp: int, http: int) -> None:
        self.address = Address(host="127.0.0.1", port=smtp)
        self.accounting_file = directory / "accounting" / ACCT_FILE
        """As in its `<acct-file>`."""
        self.url = f"http://127.0.0.1:{http}"
        accounting = self.accounting_file.parent
        accounting.mkdir(mode=0o700, exist_ok=True)
        self.child = Child(
            "pmta-standin",
            [
                *("-m", "loadtest.pmta", "--listen", str(self.address)),
                *("--http", f"127.0.0.1:{http}", "--config", str(config)),
                *("--accounting", str(accounting), "--store", "headers"),
            ],
            directory=log,
            marker=config,
            stop_timeout=10.0,
        )

    @property
    def reload_url(self) -> str:
        """Where a reload is asked for."""
        return f"{self.url}/command"

    async def follow(self, offset: float) -> None:
        """Move its calendar to `offset` seconds from the machine's time."""
        timeout = aiohttp.ClientTimeout(total=5.0)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(f"{self.url}/clock", json={"offset_seconds": offset}) as response,
            ):
                if response.status != 200:
                    warn(f"the stand-in's clock stays: {await response.text()}")
        except (TimeoutError, aiohttp.ClientError) as error:
            # It is told again when it has been started again.
            warn(f"the stand-in's clock stays: {error}")
