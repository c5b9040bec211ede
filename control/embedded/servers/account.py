"""As whom the database server runs, and how it gets to its files.

PostgreSQL refuses to run as root, so root's server runs as `nobody`, which owns nothing but its
own data. No system user is created. Where that account cannot walk to the binaries or the data
(an environment below /root), the server gets one capability more: DAC_READ_SEARCH lets it pass
directories, DAC_OVERRIDE is for systems where containers are denied the former. Both let the
server read foreign files, so they are tried in this order and only when needed. What works is
found by trying it, since modes, ACLs, container rules and user namespaces all have a say.

The securebit is not decoration: initdb checks its binaries with access(2), which drops the
capabilities of any non-root user unless `no_setuid_fixup` is set.
"""

import functools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from control.embedded.servers.error import LocalPartError

NOBODY = 65534


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user a server runs as: ours where `uid` is None."""

    uid: int | None = None
    gid: int = NOBODY
    capability: str | None = None

    def command(self, argv: list[str], death_signal: signal.Signals | None) -> list[str]:
        """`argv`, entered through setpriv where that is available.

        `death_signal` is what the kernel sends the server when its supervisor dies. It is bound
        to the *thread* that started it, so it is left out anywhere but in the main thread.
        """
        setpriv = _setpriv()
        if setpriv is None:
            return argv
        options = []
        if self.uid is not None:
            options += [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--nnp"]
        if self.capability is not None:
            options += [f"--inh-caps=+{self.capability}", f"--ambient-caps=+{self.capability}"]
            options += ["--securebits=+no_setuid_fixup"]
        if death_signal is not None and threading.current_thread() is threading.main_thread():
            options += ["--pdeathsig", death_signal.name.removeprefix("SIG")]
        return [setpriv, *options, "--", *argv] if options else argv

    @property
    def popen_uid(self) -> int | None:
        """The uid Popen has to switch to: None where setpriv does it."""
        return self.uid if _setpriv() is None else None

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid)


def database_ids() -> tuple[int, int]:
    """uid and gid of the unprivileged account root's database runs as."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY, NOBODY
    return entry.pw_uid, entry.pw_gid


def database_account(directory: Path, binaries: list[Path]) -> Account:
    """The least account that can enter `directory` and run `binaries`."""
    if os.geteuid() != 0:
        _require_name(os.geteuid())
        return Account()
    uid, gid = database_ids()
    _require_name(uid)
    capabilities = [None, "dac_read_search", "dac_override"] if _setpriv() else [None]
    said = ""
    for capability in capabilities:
        account = Account(uid=uid, gid=gid, capability=capability)
        said = _refusal(account, directory, binaries)
        if not said:
            return account
    raise LocalPartError(
        f"PostgreSQL does not run as root, and the user it runs as instead (uid {uid}) cannot "
        f"reach {directory} or {binaries[0].parent} ({said}); choose a --data-dir below "
        "directories everyone may enter, run as another user, or set DATABASE_URL"
    )


def _require_name(uid: int) -> None:
    """initdb looks its user up and ends without it, even when the superuser is named by -U."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise LocalPartError(
            f"the user id {uid} has no entry in /etc/passwd, which PostgreSQL insists on; "
            "run as a user that has one, or set DATABASE_URL"
        ) from None


def _refusal(account: Account, directory: Path, binaries: list[Path]) -> str:
    """Why this account cannot work there; empty if it can."""
    script = 'cd "$0" && for b; do test -x "$b" && "$b" --version >/dev/null || exit 1; done'
    probe = subprocess.run(
        account.command(["/bin/sh", "-c", script, str(directory), *map(str, binaries)], None),
        user=account.popen_uid,
        group=None if account.popen_uid is None else account.gid,
        extra_groups=None if account.popen_uid is None else [],
        cwd="/",
        env={"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if probe.returncode == 0 else probe.stderr.strip() or "permission denied"


@functools.cache
def _setpriv() -> str | None:
    """util-linux's setpriv; BusyBox has one of the same name without the options we need."""
    path = shutil.which("setpriv") if sys.platform == "linux" else None
    if path is None:
        return None
    probe = subprocess.run([path, "--pdeathsig", "TERM", "true"], capture_output=True, check=False)
    return path if probe.returncode == 0 else None


def private_directory(path: Path) -> None:
    """Create `path` with mode 0700; one that exists is the user's and stays as it is.

    Root's directories get 0710 with the database account's group instead. That account must
    pass through to its own subdirectory, and the alternative is a capability with which the
    database could read every file of the machine.
    """
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        os.chown(path, -1, database_ids()[1])
        path.chmod(0o710)
