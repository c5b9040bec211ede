"""What others made and the console serves is what they published, with its licence beside it."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import control.console

FOLDER = Path(control.console.__file__).parent / "static" / "vendor"
PACKAGES: list[dict[str, Any]] = tomllib.loads((FOLDER / "VENDOR.toml").read_text("utf-8"))[
    "package"
]
SHA512 = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p["name"])
def test_every_file_has_the_digest_that_was_written_down(package: dict[str, Any]) -> None:
    assert SHA512.fullmatch(package["tarball_sha512"])
    assert package["version"] in package["tarball"]
    assert package["licence_file"] in package["files"]
    assert package["licence"]
    for name, digest in package["files"].items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_nothing_stands_there_that_is_not_written_down() -> None:
    named = {name for package in PACKAGES for name in package["files"]}
    assert {path.name for path in FOLDER.iterdir()} == named | {"VENDOR.toml"}
