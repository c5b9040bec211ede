"""Where what must outlast a restart is kept on this host."""

import os
from pathlib import Path

from settings.model import Settings


def state_dir(settings: Settings, run_dir: Path) -> str:
    """The settings' folder, else systemd's (several may be named, of which the first is meant),
    else `run_dir`, which may end with the process."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return settings.gateway.state_dir or given or str(run_dir)
