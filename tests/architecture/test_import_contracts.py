"""The import contracts of pyproject.toml hold what they say: each breaks for an import planted
against it, and what is new does not slip past their lists."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.repository import PRODUCT, ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]

PLANTED = {
    "the pure policy core does no I/O and reads no clock": ("policy/plan.py", "import time"),
    "policy knows no plane": ("settings/load.py", "import gateway.sessions"),
    "the planes do not import each other": ("control/app.py", "import gateway.sessions"),
    "a room of the gateway imports what stands below it": (
        "gateway/message/ids.py",
        "from gateway.session import login",
    ),
    "a room of the hold imports what stands below it": (
        "gateway/hold/keep/store.py",
        "from gateway.hold.release import queue",
    ),
    "a room of control imports what stands below it": (
        "control/plan/hours.py",
        "from control.api import route",
    ),
    "the API decodes, calls and encodes: it has no SQL": (
        "control/api/pools.py",
        "from control.store import change",
    ),
    "the console asks the API's handlers: it has no SQL": (
        "control/console/views/held.py",
        "from control.store import change",
    ),
    "a room of the embedded stack imports what stands below it": (
        "control/embedded/servers/datadir.py",
        "from control.embedded.stack import options",
    ),
    "the gateway's message path has no database": (
        "gateway/delivery/hop.py",
        "from gateway.hold import held",
    ),
    "of the gateway only the hold names asyncpg": ("gateway/process.py", "import asyncpg"),
    "of control only the store and the embedded servers name asyncpg": (
        "control/users/audit.py",
        "import asyncpg",
    ),
    "the agent runs where there is no database, ledger or server": (
        "control/accounting/trail.py",
        "from control.accounting import door",
    ),
    "the load test is a black box": ("loadtest/bench.py", "import policy.plan"),
    "only the PROXY header names aiosmtpd, only endpoints aiosmtplib": (
        "gateway/session/listener.py",
        "import aiosmtpd",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The product's modules and the contracts, elsewhere."""
    for package in PRODUCT:
        only_modules = shutil.ignore_patterns("__pycache__", "*.sql", "*.lua", "*.so", "*.svg")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=only_modules)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _broken(folder: Path) -> set[str]:
    """Names of the contracts that do not hold."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    broken = {
        line.partition(" BROKEN")[0] for line in done.stdout.splitlines() if " BROKEN" in line
    }
    assert done.returncode == (1 if broken else 0), done.stdout + done.stderr
    return broken


def test_every_contract_breaks_for_an_import_against_it(copy: Path) -> None:
    assert set(PLANTED) == {contract["name"] for contract in CONTRACTS}, "plant one against it"
    assert not _broken(copy)
    for name, (file, line) in PLANTED.items():
        path = copy / file
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}\n{line}\n", encoding="utf-8")
        assert name in _broken(copy), f"{line!r} in {file} was let pass"
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "room", ["gateway/attic", "gateway/hold/attic", "control/attic", "control/embedded/attic"]
)
def test_a_room_that_has_no_place_breaks_the_layers(copy: Path, room: str) -> None:
    (copy / room).mkdir()
    (copy / room / "__init__.py").write_text('"""Nothing."""\n', encoding="utf-8")
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-logo", "--no-cache"], cwd=copy, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert f"{room.replace('/', '.')}" in done.stdout + done.stderr


def test_every_module_of_policy_is_in_the_pure_list() -> None:
    [pure] = [c for c in CONTRACTS if c["name"].startswith("the pure policy core")]
    modules = [f"policy.{path.stem}" for path in sorted((ROOT / "policy").glob("*.py"))]
    modules.remove("policy.__init__")
    assert sorted(pure["source_modules"]) == sorted(
        [*modules, "policy.replies.*", "policy.warmup.*"]
    )


def test_every_room_of_the_gateway_is_on_the_message_path_or_beside_it() -> None:
    """One that is not told apart would be free to ask a database."""
    [path] = [c for c in CONTRACTS if c["name"] == "the gateway's message path has no database"]
    beside = {
        "gateway.__main__", "gateway.entry", "gateway.hold", "gateway.process", "gateway.releaser",
        "gateway.supervisor", "gateway.worker",
    }  # fmt: skip
    rooms = {f"gateway.{file.stem}" for file in (ROOT / "gateway").glob("[!_.]*")}
    assert rooms | {"gateway.__main__"} == {*path["source_modules"], *beside}
