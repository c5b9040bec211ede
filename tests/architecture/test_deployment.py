"""The units and the container files start commands that exist, and leave time to drain."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from settings.model import Settings
from tests.support.commandlines import unknown_sendgate
from tests.support.repository import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TIMERS = sorted((DEPLOY / "systemd").glob("*.timer"))
COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "User": "sendgate",
}


def _unit(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(file.read_text(encoding="utf-8"))
    return parser


def test_there_is_a_unit_for_each_process() -> None:
    assert [file.stem for file in UNITS] == [
        "sendgate-agent",
        "sendgate-backup",
        "sendgate-control",
        "sendgate-drill",
        "sendgate-gateway",
    ]


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.stem)
def test_unit_starts_a_command_that_exists(file: Path) -> None:
    command = shlex.split(_unit(file)["Service"]["ExecStart"])
    assert Path(command[0]).name == "sendgate"
    assert unknown_sendgate(command) == ""


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.stem)
def test_unit_is_hardened(file: Path) -> None:
    service = _unit(file)["Service"]
    assert {key: service.get(key) for key in HARDENED} == HARDENED
    assert service["KillMode"] == "mixed"
    # tests/integration/process/test_units.py runs each command so.
    if file.with_suffix(".timer").exists():
        assert service["Type"] == "oneshot"
        return
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 60
    if file.stem != "sendgate-agent":  # its secret is a file that its own configuration names
        assert service["EnvironmentFile"] == "/etc/sendgate/sendgate.env"


def _drain() -> float:
    """Seconds a gateway may take to end (`gateway.supervisor.supervisor`)."""
    gateway = Settings().gateway
    return gateway.drain + gateway.answer_budget + 10


def test_gateway_unit_reloads_drains_and_may_use_low_ports() -> None:
    service = _unit(DEPLOY / "systemd" / "sendgate-gateway.service")["Service"]
    assert float(service["TimeoutStopSec"]) > _drain()
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    sessions = Settings().gateway.max_sessions
    assert int(service["LimitNOFILE"]) > 2 * sessions


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("sendgate")
    for file in UNITS:
        text = file.read_text(encoding="utf-8")
        text = text.replace("/opt/sendgate/.venv/bin/sendgate", str(command))
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    for file in TIMERS:
        shutil.copy(file, tmp_path)
    names = [str(tmp_path / file.name) for file in (*UNITS, *TIMERS)]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "sendgate" in line]
    assert not ours
    if done.returncode:
        pytest.skip(f"systemd-analyze cannot verify here: {done.stderr.strip()[:200]}")


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.stem)
def test_containers_start_commands_that_exist(file: Path) -> None:
    compose = file.read_text(encoding="utf-8")
    started = re.findall(r"command: \[(sendgate[^\]]*)\]", compose)
    assert started
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    default = re.search(r'^CMD \["(.*)"\]$', image, re.MULTILINE)
    assert default is not None
    for words in (*(text.split(", ") for text in started), default[1].split('", "')):
        assert unknown_sendgate(words) == ""


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.stem)
def test_containers_leave_time_to_drain(file: Path) -> None:
    compose = file.read_text(encoding="utf-8")
    gateway = compose[compose.index("\n  gateway:") :]
    patience = re.search(r"stop_grace_period: (\d+)s", gateway)
    assert patience is not None
    assert float(patience[1]) > _drain()


def test_image_is_not_roots_and_its_packages_are_checked() -> None:
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER sendgate$", image, re.MULTILINE)
    assert "--require-hashes" in image
    assert "COPY deploy/requirements.lock" in image


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.stem)
def test_compose_files_have_no_secret(file: Path) -> None:
    """They name files; tests/setup/compose looks at each service."""
    text = file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    said = re.compile(r"(password|secret|token)\w*[:=] *[^\s{\[/$]", re.IGNORECASE)
    assert not [line for line in lines if said.search(line)]
    assert not re.search(r"://[^/\s]*:[^/\s]*@", "\n".join(lines))
