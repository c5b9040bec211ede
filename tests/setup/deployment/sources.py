"""Source trees of versions that do not exist yet, and what is wrong with some of them."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.repository import ROOT

MIGRATION = '''"""Something is added."""

from alembic import op

revision = "{number}"
down_revision = "{before}"
additive = {additive}


def upgrade() -> None:
    """One table."""
    op.execute("{statement}")
'''
VERSIONS = "control/store/migrations/versions"


def tree(folder: Path, version: str) -> None:
    """The files of this checkout under another version."""
    names = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in names:
        if name and not name.startswith(("tests/", ".")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    file = folder / "pyproject.toml"
    text = file.read_text("utf-8")
    assert '\nversion = "0.1.0"\n' in text
    file.write_text(text.replace('\nversion = "0.1.0"\n', f'\nversion = "{version}"\n'), "utf-8")


def migration(
    folder: Path,
    number: str,
    before: str,
    *,
    additive: bool = True,
    statement: str = "CREATE TABLE later_{number} (x integer)",
) -> None:
    """One more, in a tree or in the packages of a release."""
    text = MIGRATION.format(
        number=number,
        before=before,
        additive=additive,
        statement=statement.format(number=number),
    )
    (folder / VERSIONS / f"{number}_pre_later.py").write_text(text, "utf-8")


@contextmanager
def broken(file: Path, text: str, instead: str) -> Iterator[None]:
    """A file of a release that is there, while one looks what follows."""
    whole = file.read_text("utf-8")
    assert text in whole, f"{file} has no {text!r}"
    file.write_text(whole.replace(text, instead), "utf-8")
    try:
        yield
    finally:
        file.write_text(whole, "utf-8")
