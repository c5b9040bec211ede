"""A Postfix of our own, for comparison, in a throw-away folder; three ways of running it.

* HOLD: everything it accepts is put on hold (access(5)): the durable accept alone, with the fsync
  its cleanup does for every message, and no delivery beside it.
* `proxy`: before-queue proxy (`smtpd_proxy_filter`): smtpd passes each message to the next hop
  while the client waits, as Sendgate does; nothing is queued, nothing synced.
* `queueing`: accepted, synced, answered, then delivered from the queue to the next hop.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log/maillog
maillog_file_prefixes = {root}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.bench.example
mydestination =
relay_domains = dest.example
mynetworks = 127.0.0.0/8
default_process_limit = 200
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_peername_lookup = no
in_flow_delay = 0
message_size_limit = 52428800
alias_maps =
local_recipient_maps =
relay_recipient_maps =
disable_dns_lookups = yes
{settings}"""

HOLD = "smtpd_data_restrictions = check_client_access static:HOLD\n"

_MASTER = """\
127.0.0.1:{port} inet n - n - 200 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
relay unix - - n - 200 smtp
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class NoPostfixError(Exception):
    """It cannot be run here; the text says why."""


def proxy(next_port: int) -> str:
    """Settings: pass each message on before it is answered."""
    return f"smtpd_proxy_filter = 127.0.0.1:{next_port}\n"


def queueing(next_port: int) -> str:
    """Settings: queue, and deliver over as many connections as the client may have."""
    return (
        f"relayhost = [127.0.0.1]:{next_port}\n"
        "relay_destination_concurrency_limit = 200\n"
        "initial_destination_concurrency = 50\n"
    )


def unable() -> str:
    """Why Postfix cannot be run here; empty: it can."""
    if missing := [tool for tool in ("postfix", "smtp-sink") if shutil.which(tool) is None]:
        return f"{', '.join(missing)} missing; on Debian: apt-get install postfix"
    return "" if os.getuid() == 0 else "Postfix needs root to start"


@contextlib.contextmanager
def postfix(port: int, settings: str = HOLD) -> Iterator[Path]:
    """Runs until left; yields its folder. Raises NoPostfixError."""
    if why := unable():
        raise NoPostfixError(why)
    with tempfile.TemporaryDirectory(prefix="postfix-bench-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        for name in ("etc", "queue", "data", "log"):
            (root / name).mkdir()
        (root / "etc" / "main.cf").write_text(
            _MAIN.format(root=root, settings=settings), encoding="ascii"
        )
        (root / "etc" / "master.cf").write_text(_MASTER.format(port=port), encoding="ascii")
        subprocess.run(["chown", "postfix", str(root / "data")], check=True)
        _run(root, "start")
        try:
            yield root
        finally:
            _run(root, "stop")


def _run(root: Path, what: str) -> None:
    done = subprocess.run(
        ["postfix", "-c", str(root / "etc"), what], capture_output=True, text=True, check=False
    )
    if done.returncode:
        log = root / "log" / "maillog"
        said = log.read_text(errors="replace")[-500:] if log.exists() else ""
        raise NoPostfixError(f"postfix {what}: {done.stderr.strip()[-500:]} {said}")


def queued(root: Path) -> int:
    """Messages on hold."""
    return sum(len(files) for _, _, files in os.walk(root / "queue" / "hold"))


def undelivered(root: Path) -> int:
    """Messages accepted and not yet delivered."""
    folders = (root / "queue" / name for name in ("incoming", "active", "deferred"))
    return sum(len(files) for top in folders for _, _, files in os.walk(top))
