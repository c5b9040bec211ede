"""One noun a file: sizes, names and docstrings of modules."""

import ast
from statistics import median

import pytest

from tests.support.repository import PRODUCT, ROOT, lines_of, python_files, tree_of

SOFT, HARD, MEDIAN, TESTS = 300, 400, 150, 500

LONG_FOR_A_REASON = {
    "gateway/hold/database.py": "opening, refusing, lending and ending share one pool's state",
    "gateway/relay/pool.py": "who waits, the bound and who owes are one state, changed together",
    "gateway/relay/wire.py": "one state machine: a cut through it would share all of its state",
}

EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def test_product_files_stay_below_the_caps() -> None:
    sizes = {str(path): lines_of(path) for path in python_files(*PRODUCT)}
    too_long = {name: size for name, size in sizes.items() if size > HARD}
    assert not too_long
    long = {name: size for name, size in sizes.items() if size > SOFT}
    print(f"over {SOFT} lines: {long}")
    assert set(long) <= set(LONG_FOR_A_REASON), f"split these, or say why not: {long}"
    assert set(LONG_FOR_A_REASON) <= set(long), "a reason is left over"


@pytest.mark.parametrize("package", PRODUCT)
def test_half_of_a_packages_files_are_short(package: str) -> None:
    assert median(lines_of(path) for path in python_files(package)) <= MEDIAN


def test_test_files_stay_below_their_cap() -> None:
    assert not {str(p): n for p in python_files("tests") if (n := lines_of(p)) > TESTS}


def test_no_module_has_an_empty_name() -> None:
    found = [
        path
        for path in python_files(*PRODUCT, "tests")
        if EMPTY_WORDS & {word for part in path.with_suffix("").parts for word in part.split("_")}
    ]
    assert not found


def test_every_module_and_package_says_what_it_is() -> None:
    silent = [p for p in python_files(*PRODUCT) if not ast.get_docstring(tree_of(p))]
    assert not silent


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in python_files(*PRODUCT, "tests")}
    assert not [folder for folder in folders if not (ROOT / folder / "__init__.py").is_file()]
