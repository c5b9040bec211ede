"""`deploy/sendgate-setup` on an empty Debian: install, update, failed updates, kills, back.

`python -m tests.setup.deployment FOLDER [bookworm|trixie]` as root, with debootstrap. systemd is
real (`root.py`), so are PostgreSQL and Valkey, and PowerMTA's stand-in counts what gets through.
"""

import asyncio
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.setup.deployment.outside import Outside, outside, wheels
from tests.setup.deployment.root import Host, debian
from tests.setup.deployment.sources import broken, migration, tree

SETUP = "/srv/{}/deploy/sendgate-setup"
ENDS = """        import threading
        threading.Timer(4, os._exit, [1]).start()
        runner.run(run(settings))"""
QUICK = "--watch 3 --patience 10"


class Scenario:
    """Steps, each with its time; the first that is not as it should be ends it."""

    def __init__(self, host: Host, out: Outside, python: str) -> None:
        self.host, self.out, self.python = host, out, python
        self.packages = (
            host.root / "opt/sendgate/releases/0.3.0/.venv/lib" / python / "site-packages"
        )
        self._began = time.monotonic()

    def setup(self, version: str, words: str, code: int = 0, says: str = "") -> str:
        """Run the script of a version's tree."""
        done = self.host.run(f"{SETUP.format(version)} {words}")
        told = f"sendgate-setup {words} ({version}): exit {done.returncode}"
        assert done.returncode == code, f"{told} instead of {code}\n{done.stdout}"
        assert says in done.stdout, f"{told}: does not say {says!r}\n{done.stdout}"
        return done.stdout

    async def serves(self, version: str, what: str) -> None:
        """Both units run from a version, and a message gets through to PowerMTA."""
        status = self.setup(version, "status")
        for unit in ("control", "gateway"):
            assert f"sendgate-{unit}: active, release {version}\n" in status, status
        assert f"in use: {version};" in status, status
        await self.out.passes()
        print(f"{time.monotonic() - self._began:6.1f} s  {what}", flush=True)

    def inside(self, script: str) -> str:
        done = self.host.run(script)
        assert done.returncode == 0, f"{script}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    def listing(self) -> str:
        """All that an installation might touch."""
        return self.inside(
            "find /opt /etc /var/backups ! -name '*.pyc' ! -name __pycache__ ! -name .lock "
            "-printf '%p %m %u:%g %l %T@\\n' | grep -v '^/etc ' | sort"
        )

    async def install(self) -> None:
        before = self.listing()
        said = self.setup(
            "0.1.0", "install --dry-run --wheels /srv/wheels --start --answers /srv/answers.toml"
        )
        assert "would: make release 0.1.0" in said
        assert self.listing() == before, "--dry-run changed something"
        # A kill while the venv is being filled: the rest is no release.
        words = "install --wheels /srv/wheels --start --answers /srv/answers.toml"
        self.host.killed_at(f"{SETUP.format('0.1.0')} {words}", "not compiled")
        assert "release 0.1.0: not whole" in self.setup("0.1.0", "status")
        self.setup("0.1.0", words.replace(" --start", ""))
        self.inside(f"echo {self.out.port()} >> /etc/sendgate/sendgate.env")
        self.setup("0.1.0", words)
        self.inside("logrotate --debug /etc/logrotate.d/sendgate")
        modes = self.inside(
            "cd /etc/sendgate && stat -c '%n %a %U:%G' "
            ". sendgate.toml sendgate.env backup.key credentials"
        )
        assert modes.splitlines() == [
            ". 750 root:sendgate",
            "sendgate.toml 640 root:sendgate",
            "sendgate.env 600 sendgate:sendgate",
            "backup.key 600 sendgate:sendgate",
            "credentials 700 root:root",
        ], modes
        assert self.inside("/opt/sendgate/.venv/bin/sendgate --version") == "sendgate 0.1.0\n"
        await self.out.tenant(self.host)
        await self.serves("0.1.0", "installed; a kill in the midst of it, and again")
        before = self.listing()
        self.setup("0.1.0", words)
        assert self.listing() == before, "a second installation changed something"
        print(
            f"{time.monotonic() - self._began:6.1f} s  installed again: nothing changed", flush=True
        )

    async def update(self) -> None:
        unit = "/etc/systemd/system/sendgate-gateway.service"
        self.inside(f"echo '# mine' >> {unit}")
        self.setup("0.2.0", f"update {QUICK}", code=1, says="was changed by hand")
        self.inside(f"sed -i '$d' {unit}")
        self.setup("0.2.0", f"update --wheels /srv/wheels {QUICK}", says="release 0.2.0 is in use")
        await self.serves("0.2.0", "updated, with a migration")
        assert self.inside("ls /var/backups/sendgate").startswith("before-0.2.0-")
        self.setup("0.2.0", f"back {QUICK}", says="release 0.1.0 is in use")
        await self.serves("0.1.0", "back by hand, on the newer schema")
        self.setup("0.2.0", f"update {QUICK}")
        await self.serves("0.2.0", "and forward again")

    async def failed(self, what: str, says: str, *patches: tuple[str, str, str]) -> None:
        """One update that fails, with files of the release as they should not be."""
        with ExitStack() as stack:
            for name, text, instead in patches:
                stack.enter_context(broken(self.packages / name, text, instead))
            self.setup("0.3.0", f"update {QUICK}", code=1, says=says)
        assert self.inside("test ! -e /opt/sendgate/journal && echo none") == "none\n"
        await self.serves("0.2.0", f"failed update: {what}")

    async def failures(self) -> None:
        later = "control/store/migrations/versions/9003_pre_later.py"
        self.inside(f"mv {SETUP.format('0.3.0')[:-21]}/deploy/requirements.lock /srv/lock")
        self.inside("sed 's/sha256:0/sha256:1/' /srv/lock > /srv/0.3.0/deploy/requirements.lock")
        self.setup(
            "0.3.0", f"update --wheels /srv/wheels {QUICK}", code=1, says="could not be made"
        )
        self.inside("mv /srv/lock /srv/0.3.0/deploy/requirements.lock")
        await self.serves("0.2.0", "failed update: a distribution with another hash")
        self.setup(
            "0.3.0",
            f"update --wheels /srv/wheels --dry-run {QUICK}",
            says="would: restart sendgate-gateway",
        )
        # Made beforehand: what is patched below is the release that is there.
        said = self.host.killed_at(
            f"{SETUP.format('0.3.0')} update --wheels /srv/wheels {QUICK}", "reads /etc"
        )
        assert "broken off" in self.setup("0.3.0", "status", code=1), said
        self.setup("0.2.0", f"back {QUICK}")
        await self.serves("0.2.0", "a kill before the migration, and back")
        await self.failed(
            "a migration that does more than add",
            "--no-way-back goes on",
            (later, "additive = True", "additive = False"),
        )
        await self.failed(
            "a migration that fails",
            "the database is as it was",
            (later, "CREATE TABLE", "CREATE TABLE x; SELECT 1/0; CREATE TABLE"),
        )
        await self.failed(
            "control that does not start, behind the migration",
            "Release 0.2.0 is in use again",
            (
                "control/cli/process.py",
                "    from control.app import run\n\n    coredump",
                '    raise SystemExit("broken on purpose")\n    coredump',
            ),
        )
        await self.failed(
            "control that ends a second after it was ready",
            "ended within 3 s of its start",
            (
                "control/cli/process.py",
                "        runner.run(run(settings))",
                ENDS,
            ),
        )
        await self.failed(
            "a gateway that is not ready",
            "gateway of release 0.3.0 is not ready",
            ("gateway/watch/admin.py", 'add_get("/readyz"', 'add_get("/not-readyz"'),
        )
        await self.failed(
            "a gateway that cannot use its settings",
            "sendgate-gateway of release 0.3.0 did not start",
            ("gateway/__main__.py", '"""', 'raise SystemExit(2)\n"""'),
        )

    async def kills(self) -> None:
        update = f"{SETUP.format('0.3.0')} update {QUICK}"
        for line in (
            "back up into",
            "sendgate migrate",
            "current is release",
            "daemon-reload",
            "restart sendgate-control",
            "restart sendgate-gateway",
        ):
            self.host.killed_at(update, line)
            assert "broken off" in self.setup("0.3.0", "status", code=1)
            await self.out.passes()
            print(f"{'':8} killed at: {line}", flush=True)
        self.setup("0.3.0", f"back {QUICK}")
        await self.serves("0.2.0", "killed six times, and back")
        self.host.killed_at(update, "restart sendgate-control")
        self.setup("0.3.0", f"update --keep 2 {QUICK}")
        await self.serves("0.3.0", "killed, and again: updated")
        assert self.inside("ls /opt/sendgate/releases").split() == ["0.2.0", "0.3.0"]
        self.setup("0.3.0", f"back --to 0.1.0 {QUICK}", code=1, says="is not there")


async def main(folder: Path, release: str) -> None:
    """Everything below `folder`."""
    folder.mkdir(exist_ok=True)
    began = time.monotonic()
    debian(folder / release, release)
    print(f"{time.monotonic() - began:6.1f} s  Debian ({release})", flush=True)
    root = folder / f"{release}-host"
    async with outside(folder / "outside", root) as out:
        out.copy(folder / release)
        wheels(folder / "wheels" / release, root / "srv" / "wheels", release)
        for number, version in enumerate(("0.1.0", "0.2.0", "0.3.0")):
            tree(root / "srv" / version, version)
            for step in range(1, number + 1):
                before = f"900{step}" if step > 1 else out.newest
                migration(root / "srv" / version, f"900{step + 1}", before)
        print(f"{time.monotonic() - began:6.1f} s  wheels, sources, stores", flush=True)
        host = Host(root)
        try:
            host.boot()
            scenario = Scenario(host, out, "python3.11" if release == "bookworm" else "python3.13")
            await scenario.install()
            await scenario.update()
            await scenario.failures()
            await scenario.kills()
        finally:
            host.end()
    print(f"{time.monotonic() - began:6.1f} s  a host is installed, updated and gone back from")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).absolute(), *(sys.argv[2:] or ["bookworm"])))
