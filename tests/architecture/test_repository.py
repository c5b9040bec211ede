"""What may not stand in the repository, and what its documents promise."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandlines import commands, targets, unknown_make, unknown_sendgate
from tests.support.repository import PRODUCT, ROOT, files, nodes_of, python_files, text_of

# In pieces, so that this file passes its own check.
HOSTS = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|crates|rubygems|dockerhub|proxy\.golang)\.(?:org|com|io)\b"
    r"|--(?:extra-)?index-url|\bdocker\.io\b"
)
MACHINE_PATH = re.compile(r"(?<![\w./~$}*-])/(?:" + "|".join(("work", "root", "home")) + r")/")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

BROAD_FOR_A_REASON = {
    "control/again.py:again": "what a control process does until its end: tried again, and said",
    "control/accounting/reader.py:run": "a reader that ended would leave doubt open for ever",
    "control/jobs/runner.py:_do": "whatever a job raises is in its row, and it is tried again",
    "control/api/application.py:_problems": "the edge of HTTP: logged in full, answered with 500",
    "control/console/console.py:answered": "the edge of HTTP for people: its page, and the log",
    "control/api/health.py:_readyz": "whatever the database says becomes the answer: not ready",
    "control/embedded/stack/child.py:_keep": "a child that cannot start is said, and tried again",
    "gateway/session/conversation.py:_turn": "a bug costs one session: logged, told to the loop",
    "gateway/hold/release/release.py:_one": "a bug costs a message its certainty: logged, in doubt",
    "gateway/ledger/outcomes.py:flush": "a record for people ends no worker: logged, and counted",
}

PATH_FOR_A_REASON = {
    "tests/integration/embedded/test_local_parts.py": "the folder of root is what it is about",
}

OUR_OWN = Path("tests/architecture/test_repository.py")


def _texts() -> Iterator[tuple[Path, str]]:
    for path in files():
        try:
            yield path, text_of(path)
        except UnicodeDecodeError:
            continue


def _hits(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{text[: match.start()].count(chr(10)) + 1}: {match[0]}"
        for path, text in _texts()
        if path != OUR_OWN
        for match in pattern.finditer(text)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert not _hits(HOSTS)


def test_no_file_names_a_path_of_one_machine() -> None:
    hits = _hits(MACHINE_PATH)
    assert {hit.partition(":")[0] for hit in hits} <= set(PATH_FOR_A_REASON), hits


def test_nothing_is_marked_as_unfinished() -> None:
    assert not _hits(UNFINISHED)


def test_the_patterns_find_what_they_are_for() -> None:
    assert HOSTS.search("https://pypi" + ".org/simple")
    assert MACHINE_PATH.search('open("/ro' + 'ot/x")')
    assert not MACHINE_PATH.search("https://example.com/home/")
    assert UNFINISHED.search("# TO" + "DO: later")


def test_product_code_never_blocks_in_sleep() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in python_files(*PRODUCT)
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep")
    ]
    # A command that waits for its turn has no loop, and its HTTP blocks as well.
    assert {place.partition(":")[0] for place in found} == {"control/terminal/client.py"}


def test_broad_excepts_raise_again() -> None:
    found = {place for path in python_files(*PRODUCT) for place in _swallowing(path)}
    assert found == set(BROAD_FOR_A_REASON)


def _swallowing(path: Path) -> Iterator[str]:
    """`file:function` of each broad handler from which nothing is raised."""
    nodes = nodes_of(path)
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in nodes:
        if isinstance(node, ast.ExceptHandler) and _broad(node.type) and not _raises(node):
            around = [f.name for f in functions if any(inner is node for inner in ast.walk(f))]
            yield f"{path}:{around[-1] if around else '-'}"


def _broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(n, ast.Name) and n.id in ("Exception", "BaseException") for n in names)


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def _documents() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


@pytest.mark.parametrize("document", _documents(), ids=str)
def test_commands_in_documents_exist(document: Path) -> None:
    known = targets((ROOT / "Makefile").read_text(encoding="utf-8"))
    found = []
    for command in commands(text_of(document)):
        if command[0] == "make":
            found += [f"make {target}" for target in unknown_make(command, known)]
        elif command[0] == "sendgate" and (wrong := unknown_sendgate(command)):
            found.append(f"{' '.join(command)}: {wrong}")
    assert not found


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("sendgate up --no-demo", ""),
        ("sudo -u sendgate X=1 /opt/x/sendgate ip set 192.0.2.1 --quota 5", ""),
        ("printf x | sendgate tenant add a --login b --password-stdin --json", ""),
        ("docker compose run --rm migrate sendgate migrate --check", ""),
        ("sendgate ip set 192.0.2.1 --qouta 5", "option --qouta"),
        ("sendgate weather advance", "command weather"),
        ("sendgate tenant", "command after tenant"),
    ],
)
def test_a_command_line_is_checked_word_by_word(line: str, wrong: str) -> None:
    found = [c for c in commands(f"```sh\n{line}\n```\n") if c[0] == "sendgate"]
    assert [unknown_sendgate(command) for command in found] == [wrong]


def test_make_targets_are_checked() -> None:
    known = targets("setup: x\n.PHONY: a\ndemo: setup\nA := 1\n")
    assert known == {"setup", "demo"}
    assert unknown_make(["make", "-j2", "demo", "A=1", "deom"], known) == ["deom"]
