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
    packages = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["package"]
    folder, listed = (ROOT / path).parent, {}
    for one in packages:
        assert one["tarball"] == f"{one['name']}-{one['version']}.tgz"
        kind, _, digest = one["tarball_sha512"].partition("-")
        assert (kind, len(base64.b64decode(digest, validate=True))) == ("sha512", 64)
        assert one["licence"]
        assert one["licence_file"] in one["files"]
        listed |= one["files"]
    here = {one.name for one in folder.iterdir()} - {"VENDOR.toml"}
    assert {one: hashlib.sha256((folder / one).read_bytes()).hexdigest() for one in here} == listed


def test_a_list_is_found() -> None:
    assert LISTS
