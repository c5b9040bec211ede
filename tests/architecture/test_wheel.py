"""What is installed is what a checkout has: data files of packages are in the wheel."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("policy", "settings", "gateway", "control", "loadtest")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "setuptools"
]
# Read by people, by setup.py or by a compiler.
NOT_SHIPPED = {".md", ".c", ".pyi", ".so", ".pyc"}


def test_every_data_file_of_a_package_is_shipped() -> None:
    shipped = {
        file
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for file in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    assert shipped
    files = {
        file
        for package in PACKAGES
        if package != "loadtest"  # run from a checkout
        for file in (ROOT / package).rglob("*")
        if file.is_file() and file.suffix not in NOT_SHIPPED | {".py"}
    }
    assert sorted(str(file.relative_to(ROOT)) for file in files - shipped) == []
