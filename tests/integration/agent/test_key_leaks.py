"""DKIM private keys on their way to PowerMTA: they stand in the key files of its configuration and
nowhere else, whatever goes wrong with them."""

import asyncio
import stat
from pathlib import Path

import pytest

from control.parts import Parts
from tests.integration.agent.test_versions import agent, settings
from tests.support import places
from tests.support.control.agents import Agent
from tests.support.control.core import Api
from tests.support.control.pmtaservers import add, api, core, standing, until_right
from tests.support.control.shipped import until
from tests.support.planted import Planted
from tests.support.pmta.double import Pmta
from tests.support.processes import family

__all__ = ["agent", "api", "core", "settings"]

PATH = "/api/v2/powermta"


async def sealed(core: Parts) -> Planted:
    """The keys of all domains, by a line from the middle of each."""
    found = Planted()
    for row in await core.pool.fetch("SELECT domain, dkim_private FROM sending_domain"):
        pem = core.seal.open(row["dkim_private"]).decode()
        lines = pem.splitlines()
        found.met(row["domain"], lines[len(lines) // 2])
        found.met(f"{row['domain']}, in one line", "".join(lines[1:-1])[:200])
    return found


class Watching:
    """Command lines and environments of a process and its children, while something happens."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.said = b""
        self.children: set[int] = set()

    async def until(self, over: "asyncio.Task[object]") -> None:
        while not over.done():
            self.look()
            await asyncio.sleep(0.002)

    def look(self) -> None:
        for pid in family(self.pid):
            self.children |= {pid} - {self.pid}
            for what in ("cmdline", "environ"):
                self.said += places.of_process(pid, what)


async def test_keys_stand_in_powermtas_key_files_alone(
    api: Api,
    core: Parts,
    agent: Agent,
    pmta: Pmta,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert agent.process is not None
    watching = Watching(agent.process.pid)
    change = asyncio.create_task(add(api, "192.0.2.10", "example.com"))
    await watching.until(change)
    assert change.result()[0] == 201
    assert watching.children, "it asked PowerMTA's command"
    # What is refused is told with PowerMTA's words, and shown as differences.
    pmta.put("refused.json", {"test config": "Error in line 7 of /etc/pmta/config: no"})
    status, refused = await add(api, "192.0.2.11", "two.example")
    assert status == 409
    pmta.put("refused.json", {})
    # A file of keys that somebody changed, and one that cannot be written.
    [key] = (tmp_path / "sendgate").rglob("example.com.*.pem")
    kept = key.read_text()
    key.chmod(0o640)
    key.write_text(kept + "# mine\n")

    async def told() -> bool:
        return (await standing(api))["state"] == "changed"

    await until(told)
    assert (await api("POST", f"{PATH}/apply", {"overwrite": True}))[0] == 200
    agent.kill()
    agent.start("--dry-run", module="control.agent.applying")
    assert agent.process is not None
    await asyncio.to_thread(agent.process.wait, 30)
    agent.start(module="control.agent.applying")
    await until_right(api)
    assert (await add(api, "192.0.2.12", "three.example"))[0] == 201
    watching.look()
    planted = await sealed(core)
    assert "example.com" in planted.within(kept.encode()), "it would be found"
    found = {"processes": watching.said, "a refusal": repr(refused).encode()}
    for path in (
        *(f"{PATH}/{noun}?server=pmta1" for noun in ("standing", "versions", "validate")),
        f"{PATH}/diff?server=pmta1&from=1&to=plan",
        f"{PATH}/config?server=pmta1",
        "/api/v2/audit?limit=1000",
    ):
        found[path] = repr(await api("GET", path)).encode()
    found["the agent's log"] = agent.log.read_bytes()
    found["PowerMTA's commands"] = "\n".join(pmta.log).encode()
    found["control's log"] = caplog.text.encode()
    out = capfd.readouterr()
    found["output"] = (out.out + out.err).encode()
    assert {place for place, text in found.items() if planted.within(text)} == set()
    assert b"PRIVATE KEY" not in b"".join(found.values())
    files(tmp_path, planted)
    modes(agent, tmp_path / "sendgate")


def files(folder: Path, planted: Planted) -> None:
    """Those that have keys are PowerMTA's key files, and nobody else reads them."""
    holding = {
        name: mode
        for name, (mode, text) in places.files(folder).items()
        if planted.within(text) or b"PRIVATE KEY" in text
    }
    assert holding, "or nothing was looked at"
    for name, mode in holding.items():
        assert name.startswith("sendgate/versions/"), name
        assert Path(name).parent.name == "keys", name
        assert mode & 0o007 == 0, (name, oct(mode))


def modes(agent: Agent, folder: Path) -> None:
    """Its own state is its own; PowerMTA's group reads what is PowerMTA's."""
    assert stat.S_IMODE(agent.state.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        if path.name != "own.conf" and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0, path
