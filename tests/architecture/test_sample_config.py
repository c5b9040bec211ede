"""The sample configuration says what the structs say."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from settings import model
from settings.agent import Agent
from settings.environment import variable_paths
from settings.load import SettingsError, load
from settings.model import Settings
from settings.sample import MissingManualError, agent_sample, manuals, sample
from tests.support.repository import ROOT

FILE = ROOT / "deploy" / "config" / "sendgate.toml"
AGENT = ROOT / "deploy" / "config" / "agent.toml"
SECRETS = ROOT / "deploy" / "config" / "sendgate.env"

STRUCTS = [
    kind
    for kind in vars(model).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not Settings
    if kind.__module__ == model.__name__
]


def test_sample_file_is_the_one_the_structs_make() -> None:
    assert FILE.read_text(encoding="utf-8") == sample(), (
        "run: python -m settings.sample > deploy/config/sendgate.toml"
    )


def test_the_agents_sample_is_the_one_its_struct_makes() -> None:
    assert AGENT.read_text(encoding="utf-8") == agent_sample(), (
        "run: python -m settings.sample agent > deploy/config/agent.toml"
    )
    assert msgspec.convert(tomllib.loads(agent_sample()), Agent) == Agent()
    assert set(manuals(Agent)) == {field.name for field in msgspec.structs.fields(Agent)}


def test_sample_loads_into_exactly_the_defaults() -> None:
    assert load(FILE, {"SENDGATE_DOTENV": "none"}) == Settings()


def test_sample_shows_every_field() -> None:
    shown = tomllib.loads(sample())
    text = sample()
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            if getattr(section.default, field.name) is None:
                assert f"\n# {field.name} =" in text
            else:
                assert field.name in shown[section.name]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_field_has_a_manual_text(kind: type[msgspec.Struct]) -> None:
    assert set(manuals(kind)) == {field.name for field in msgspec.structs.fields(kind)}
    assert kind.__doc__


def test_a_field_without_a_text_is_named() -> None:
    class Bare(msgspec.Struct):
        first: int = 1
        second: int = 2
        """Text."""

    with pytest.raises(MissingManualError, match=r"Bare\.first"):
        manuals(Bare)


def test_a_key_that_does_not_exist_is_refused_in_the_sample_too(tmp_path: Path) -> None:
    file = tmp_path / "sendgate.toml"
    file.write_text(sample().replace("\nworkers = 1", "\nwerkers = 1"), encoding="utf-8")
    with pytest.raises(SettingsError, match="werkers: no such setting"):
        load(file, {"SENDGATE_DOTENV": "none"})


def test_every_variable_of_the_secrets_file_acts() -> None:
    lines = SECRETS.read_text(encoding="utf-8").splitlines()
    names = {line.lstrip("#").partition("=")[0] for line in lines if _assigns(line)}
    assert names <= set(variable_paths())
    assert "SENDGATE_CONTROL_SECRET" in names


def _assigns(line: str) -> bool:
    name, sign, _ = line.lstrip("#").partition("=")
    return bool(sign) and name.isidentifier() and name.isupper()
