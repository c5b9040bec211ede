"""A Debian of its own with a real systemd, below one folder, in namespaces of its own.

The network is the machine's: the stores outside are reached at 127.0.0.1. Nothing of the machine
can be written from inside (/proc/sys is read-only, devices are the few that a container has), and
what runs inside ends with its first process.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
PACKAGES = "ca-certificates,python3,python3-venv,systemd,dbus,logrotate,nginx-light"
NOT_STARTED = (
    *("getty.target", "console-getty.service", "systemd-logind.service", "nginx.service"),
    *("systemd-sysctl.service", "systemd-modules-load.service", "systemd-networkd.service"),
    *("systemd-timesyncd.service", "systemd-resolved.service", "apt-daily.timer"),
    *("apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
BOOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --bind "$1/proc/sys" "$1/proc/sys"
mount -o remount,bind,ro "$1/proc/sys"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/dev"
for device in $2; do : > "$1/dev/$device"; mount --bind "/dev/$device" "$1/dev/$device"; done
mkdir "$1/dev/shm" "$1/dev/pts"
mount -t tmpfs tmpfs "$1/dev/shm"
# PrivateDevices= clones it.
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
# Not chroot: a unit's own root would be looked for in the machine's.
cd "$1"
mkdir -p mnt
pivot_root . mnt
umount -l /mnt
exec /usr/bin/env -i container=sendgate PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --log-target=journal --show-status=no
"""
PATIENCE = 60.0


def debian(folder: Path, release: str) -> None:
    """Made once; whoever finds it whole takes it."""
    if (folder / ".whole").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, folder, MIRROR],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    units = folder / "etc" / "systemd" / "system"
    for name in NOT_STARTED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    (folder / ".whole").touch()


class Host:
    """One that runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._outer: subprocess.Popen[bytes] | None = None
        self._init = 0

    def boot(self) -> None:
        """Returns when systemd says that it is up."""
        flags = ["--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts", "--cgroup"]
        words = ["unshare", *flags, "sh", "-c", BOOT, "boot", str(self.root), " ".join(DEVICES)]
        self._outer = subprocess.Popen(words, start_new_session=True)
        ends = time.monotonic() + PATIENCE
        while True:
            assert self._outer.poll() is None, "systemd ended"
            assert time.monotonic() < ends, "systemd is not up"
            children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
            if children.strip():
                self._init = int(children.split()[0])
                if self.run("systemctl is-system-running").stdout.strip() in (
                    "running",
                    "degraded",
                ):
                    return
            time.sleep(0.1)

    def words(self, script: str) -> list[str]:
        """A command line that runs a script inside."""
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return [
            *("nsenter", "-t", str(self._init), "-m", "-p", "-i", "-u", "-C", "-r", "-w"),
            *("/usr/bin/env", "-i", path, "LC_ALL=C.UTF-8", "HOME=/root", "PIP_NO_COMPILE=1"),
            *("/bin/sh", "-c", script),
        ]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Both outputs together."""
        return subprocess.run(
            self.words(script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def killed_at(self, script: str, line: str) -> str:
        """Kill a script and all it started, with SIGKILL, when it says a line; what it said."""
        process = subprocess.Popen(
            self.words(script),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        said = ""
        for one in process.stdout:
            said += one
            if line in one:
                os.killpg(process.pid, signal.SIGKILL)
                break
        process.stdout.close()
        process.wait()
        return said

    def end(self) -> None:
        if self._outer is not None:
            self._outer.kill()
            self._outer.wait()
