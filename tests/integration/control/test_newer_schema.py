"""A database that a newer version migrated: programs of before run on what was only added to."""

import shutil
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config

from control.parts import open_parts
from control.problem import RefusedError
from control.store import migrate as migrating
from control.store.migrate import migrate, newest, oldest, revision
from control.store.schema import schema
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for

STEP = """
from alembic import op
revision = "{number}"
down_revision = "{before}"
{additive}

def upgrade():
    op.execute("CREATE TABLE later_{number} (x integer)")
"""


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a version behind this one: the folder, where more may be put."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrating.__file__).with_name("migrations"), folder)

    def config() -> Config:
        made = Config()
        made.set_main_option("script_location", str(folder))
        return made

    monkeypatch.setattr(migrating, "_config", config)
    return folder / "versions"


def step(folder: Path, number: str, before: str, additive: str = "additive = True") -> None:
    text = STEP.format(number=number, before=before, additive=additive)
    (folder / f"{number}_pre_later.py").write_text(text)
    migrating._read.cache_clear()


async def test_what_only_adds_is_gone_back_from(
    postgres_url: str, valkey_url: str, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = newest()
    await migrate(postgres_url)
    step(newer, "9001", ours)
    step(newer, "9002", "9001")
    assert oldest() == oldest(ours)
    assert (await schema(postgres_url)).no_way_back == ""
    assert await migrate(postgres_url) == (ours, "9002")
    monkeypatch.undo()
    stands = await schema(postgres_url)
    assert (stands.problem, stands.ahead, stands.at) == ("", True, "9002")
    async with open_parts(settings_for(postgres_url, valkey_url)):
        pass
    assert await migrate(postgres_url) == ("9002", "9002")
    assert await revision(postgres_url) == "9002"


async def test_what_does_more_is_said_before_and_refused_afterwards(
    postgres_url: str, valkey_url: str, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = newest()
    await migrate(postgres_url)
    step(newer, "9001", ours, additive="")
    step(newer, "9002", "9001")
    assert oldest() == "9001"
    assert "(see 9001)" in (await schema(postgres_url)).no_way_back
    await migrate(postgres_url)
    monkeypatch.undo()
    with pytest.raises(RefusedError, match="which a newer version made and this one"):
        async with open_parts(settings_for(postgres_url, valkey_url)):
            pass


async def test_a_schema_that_says_nothing_of_it_is_refused(
    create_database: CreateDatabase,
) -> None:
    url = await create_database("control", build)
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE alembic_version SET version_num = '9001'")
    await connection.execute("DROP TABLE schema_reads")
    await connection.close()
    assert "put the backup from before it back" in (await schema(url)).problem
