"""`systemctl` over the units of this folder: what they say is started, stopped, told to reload.

`daemon-reload` has systemd's own checker read them, where there is one. A start waits for `ready`,
as an operator does before the next line is typed.
"""

import configparser
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.setup.commands.table import table

ROOT = Path(os.environ["COMMANDS_ROOT"])
UNITS = ROOT / "etc" / "systemd" / "system"
OURS = ("sendgate-gateway", "sendgate-control")
ELSEWHERE = ("valkey-server", "postgresql")
"""They run all the while."""
PATIENCE = 60.0


def main() -> int:
    verb, *names = [word for word in sys.argv[1:] if not word.startswith("--")]
    if verb == "daemon-reload":
        return verify()
    done = 0
    for name in names:
        if name in ELSEWHERE:
            continue
        if name not in OURS or not (UNITS / f"{name}.service").exists():
            print(f"there is no unit {name}", file=sys.stderr)
            return 5
        if verb in ("stop", "restart"):
            done |= stop(name)
        if verb in ("start", "restart", "enable"):
            done |= start(name)
        if verb == "reload":
            done |= reload(name)
    return done


def verify() -> int:
    """What systemd finds wrong in them; a checker that cannot run here says nothing of ours."""
    if shutil.which("systemd-analyze") is None:
        return 0
    files = [str(file) for file in UNITS.glob("sendgate-*.service")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True
    )
    wrong = [line for line in done.stderr.splitlines() if "sendgate" in line]
    print("\n".join(wrong), file=sys.stderr)
    # Its commands are where the words of the table say, and the checker looks where the unit says.
    return any("is not executable" not in line for line in wrong)


def section(name: str) -> dict[str, str]:
    """[Service], with its paths in this folder."""
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(
        table().mapped((UNITS / f"{name}.service").read_text("utf-8"), {"root": str(ROOT)})
    )
    return dict(parser["Service"])


def pid(name: str) -> int:
    """0: it does not run."""
    try:
        number = int((ROOT / "run" / name).read_text())
        os.kill(number, 0)
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else number


def start(name: str) -> int:
    if pid(name):
        return 0
    service = section(name)
    file = Path(service["EnvironmentFile"])
    given = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    (ROOT / "log").mkdir(exist_ok=True)
    (ROOT / "run").mkdir(exist_ok=True)
    with (ROOT / "log" / f"{name}.log").open("ab") as log:
        said = log.tell()
        process = subprocess.Popen(
            shlex.split(service["ExecStart"]),
            cwd=service["WorkingDirectory"],
            env={"PATH": os.environ["PATH"], **given},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (ROOT / "run" / name).write_text(str(process.pid))
    ends = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < ends:
        if b"\nready " in b"\n" + (ROOT / "log" / f"{name}.log").read_bytes()[said:]:
            return 0
        time.sleep(0.1)
    print((ROOT / "log" / f"{name}.log").read_text()[said:][-2000:], file=sys.stderr)
    return 1


def stop(name: str) -> int:
    number = pid(name)
    if not number:
        return 0
    os.kill(number, signal.SIGTERM)
    ends = time.monotonic() + float(section(name)["TimeoutStopSec"])
    while time.monotonic() < ends:
        if not pid(name):
            return 0
        time.sleep(0.05)
    os.killpg(number, signal.SIGKILL)
    return 1


def reload(name: str) -> int:
    if not pid(name):
        print(f"{name}.service is not active, cannot reload", file=sys.stderr)
        return 1
    words = shlex.split(section(name)["ExecReload"].replace("$MAINPID", str(pid(name))))
    return subprocess.run(words).returncode


if __name__ == "__main__":
    sys.exit(main())
