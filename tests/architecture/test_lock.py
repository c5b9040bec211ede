"""The locks are whole: they are installed closed, so what they do not name is missing."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.repository import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PRODUCT = PROJECT["project"]["dependencies"]
EXTRAS = [r for group in PROJECT["project"]["optional-dependencies"].values() for r in group]


def _tools(room: str) -> list[str]:
    text = (ROOT / room / "requirements.in").read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


LOCKS = {
    "requirements.lock": [*PRODUCT, *EXTRAS, *PROJECT["build-system"]["requires"]],
    "deploy/requirements.lock": PRODUCT,
    # What these ask for themselves is not installed here: `pip check` in their venv asks.
    "tests/schemathesis/requirements.lock": _tools("tests/schemathesis"),
    "tests/browser/requirements.lock": _tools("tests/browser"),
}


def locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Distribution to its version and hashes."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8")):
        head = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", entry)
        assert head is not None, entry
        hashes = frozenset(re.findall(r"--hash=(sha256:\w{64})", entry))
        found[canonicalize_name(head[1])] = head[2], hashes
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_all_that_is_required_in_a_version_that_fits(name: str) -> None:
    have = locked(name)
    asked = [(Requirement(text), "pyproject.toml") for text in LOCKS[name]]
    seen: set[tuple[str, str]] = set()
    missing = []
    while asked:
        requirement, by = asked.pop()
        key = canonicalize_name(requirement.name)
        version = have.get(key, ("", frozenset()))[0]
        if not version or not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{by} needs {requirement}; the lock has {version or 'none'}")
            continue
        for extra in ("", *requirement.extras):
            if (key, extra) not in seen:
                seen.add((key, extra))
                asked += [(r, key) for r in _needs(key, extra)]
    assert missing == [], "run `make lock`"


def _needs(name: str, extra: str) -> list[Requirement]:
    try:
        texts = requires(name) or []
    except PackageNotFoundError:
        return []  # for another machine: its marker kept it from being installed
    found = [Requirement(text) for text in texts]
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": extra})]


def test_the_image_has_the_versions_of_a_checkout() -> None:
    whole, image = locked("requirements.lock"), locked("deploy/requirements.lock")
    assert {name: whole.get(name) for name in image} == image
    assert all(hashes for _, hashes in whole.values())


def test_what_drives_a_browser_has_the_versions_of_the_product() -> None:
    """It is found behind the product's packages: of what both have, the product's is taken."""
    product, browser = locked("requirements.lock"), locked("tests/browser/requirements.lock")
    both = product.keys() & browser.keys()
    assert both
    assert {name: browser[name][0] for name in both} == {name: product[name][0] for name in both}


def test_nothing_is_resolved_where_it_is_installed() -> None:
    """With resolution pip 23 asks for a locked one's extras, and meets the newest version."""
    for file in ("Makefile", "deploy/Dockerfile"):
        text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
        installs = re.findall(r"pip[^\n&|]* (?:install|wheel) [^\n&|]*", text)
        installs = [line for line in installs if "$(PIP)" not in line and "$(1)" not in line]
        assert installs
        assert [line for line in installs if "--no-deps" not in line] == []
        for line in installs:
            assert "--require-hashes" in line or " -r " not in line, line
