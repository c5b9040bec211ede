"""The version in pyproject.toml, the installed one and the newest in CHANGELOG.md are the same."""

import re
import tomllib
from datetime import date

from control.version import VERSION
from tests.support.repository import ROOT

_HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
_VERSION = re.compile(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)")


def project_version() -> str:
    """Of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def headings() -> list[str]:
    """Of the sections of CHANGELOG.md, from the top."""
    return _HEADING.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def released() -> list[tuple[tuple[int, ...], date]]:
    """Versions and their dates, from the top."""
    found = []
    for heading in headings()[1:]:
        match = _VERSION.fullmatch(heading)
        assert match, f"`## {heading}` is not `## X.Y.Z (YYYY-MM-DD)`"
        numbers = tuple(int(number) for number in match[1].split("."))
        found.append((numbers, date.fromisoformat(match[2])))
    return found


def test_what_is_not_released_stands_on_top() -> None:
    assert headings()[0] == "Unreleased"


def test_the_newest_version_is_the_projects_and_the_installed_one() -> None:
    newest = ".".join(str(number) for number in released()[0][0])
    assert newest == project_version() == VERSION


def test_versions_and_their_dates_go_down_the_page() -> None:
    found = released()
    assert found == sorted(found, reverse=True)
    assert len({version for version, _ in found}) == len(found)


def test_a_version_is_installed_from_its_tag() -> None:
    pages = ROOT / "deploy" / "runbook"
    assert f"/opt/sendgate-{project_version()}" in (pages / "install.md").read_text("utf-8")
    upgrade = (pages / "upgrade.md").read_text("utf-8")
    assert re.search(r"git clone --branch v\d+\.\d+\.\d+ ", upgrade)
