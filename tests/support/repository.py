"""The repository as the architecture tests see it."""

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PRODUCT = ("policy", "settings", "gateway", "control", "loadtest")

_NOT_OURS = {
    ".git",
    ".venv",
    ".venv-schemathesis",
    ".venv-browser",
    ".sendgate",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository, relative to its root; a checkout without git is walked."""
    found = _listed() or [
        path.relative_to(ROOT)
        for path in ROOT.rglob("*")
        if path.is_file() and not _NOT_OURS & set(path.parts)
    ]
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


def _listed() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return []
    # Files that are not committed yet count too: the check must fail before the commit.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [Path(name) for name in listing.stdout.split("\0") if name]


def python_files(*packages: str) -> list[Path]:
    """The .py files below these folders, relative to the root."""
    return [path for path in files() if path.suffix == ".py" and path.parts[0] in packages]


def lines_of(path: Path) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax: read once for all who ask, who change nothing in it."""
    return ast.parse(text_of(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All of it, as `ast.walk` goes."""
    return tuple(ast.walk(tree_of(path)))
