"""What others made and stands here is what they made: each file has the sum that its list has."""

import base64
import hashlib
import tomllib
from pathlib import Path

import pytest

from tests.support.repository import ROOT, files

LISTS = [path for path in files() if path.name == "VENDOR.toml"]


@pytest.mark.parametrize("path", LISTS, ids=str)
def test_what_is_vendored_is_unchanged_and_says_whose_it_is(path: Path) -> None:
    vendored = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))
    assert vendored["name"]
    assert vendored["licence"]
    assert vendored["package"] == f"{vendored['name']}@{vendored['version']}"
    assert len(base64.b64decode(vendored["sha512"], validate=True)) == 64
    folder = (ROOT / path).parent
    here = {one.name for one in folder.iterdir()} - {"VENDOR.toml"}
    assert here == vendored["files"].keys()
    assert {one for one in here if one.startswith("LICENSE")}
    found = {one: hashlib.sha256((folder / one).read_bytes()).hexdigest() for one in here}
    assert found == vendored["files"]


def test_a_list_is_found() -> None:
    assert LISTS
