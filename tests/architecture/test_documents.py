"""Documents lead to what is there, and an operator finds every page from one."""

import os
import re
from pathlib import Path

import pytest

from tests.setup.commands.__main__ import DOCUMENTS
from tests.setup.commands.document import steps
from tests.support.markdown import Link, anchors, links, prose
from tests.support.repository import ROOT, files, text_of

INDEX = Path("deploy/RUNBOOK.md")
PAGE = 300
"""Lines: what can be looked through for one thing."""
OPERATORS = [path for path in files() if path.suffix == ".md" and path.parts[0] == "deploy"]
# A document named in code, a unit, a sample or a message: by its path from the root.
CITED = re.compile(
    r"(?<![\w/.-])(?:/opt/sendgate/)?((?:deploy|policy|loadtest)/[\w/-]+\.md)(#[\w-]+)?"
)
LICENSED = Path("deploy/FIRST-CONTACT.md")
"""What it has to be run against is the licensed PowerMTA itself."""
NEVER_EDITED = Path("control/store/migrations/sql")


def _broken(document: Path) -> list[str]:
    return [
        f"{x.line}: {x.path}#{x.anchor}" for x in links(text_of(document)) if _dead(document, x)
    ]


def _dead(document: Path, link: Link) -> bool:
    path = Path(os.path.normpath(document.parent / link.path)) if link.path else document
    if not (ROOT / path).exists():
        return True
    return bool(link.anchor) and link.anchor not in anchors(text_of(path))


@pytest.mark.parametrize("document", [p for p in files() if p.suffix == ".md"], ids=str)
def test_every_link_and_anchor_of_a_document_leads_somewhere(document: Path) -> None:
    assert _broken(document) == []


def test_every_document_that_code_names_is_there() -> None:
    missing = []
    for path in files():
        if path.suffix not in (".py", ".md", ".toml", ".yaml", ".yml", ".service", ".env", ".sql"):
            continue
        if path.name == "CHANGELOG.md" or NEVER_EDITED in path.parents:
            continue
        for named, anchor in CITED.findall(text_of(path)):
            if not (ROOT / named).is_file():
                missing.append(f"{path}: {named}")
            elif anchor and anchor[1:] not in anchors(text_of(Path(named))):
                missing.append(f"{path}: {named}{anchor}")
    assert missing == []


def test_every_file_that_a_document_for_developers_names_is_there() -> None:
    known = {path.name for path in files()}
    for document in (Path("policy/README.md"), Path("DEVELOPING.md"), Path("README.md")):
        named = re.findall(r"`(?:[\w/]+/)?([\w-]+\.(?:py|lua|sql|toml|md))`", text_of(document))
        assert [name for name in named if name not in known] == [], document


def test_readme_is_five_minutes() -> None:
    """Of somebody who reads 240 words a minute; commands and tables are looked at, not read."""
    read = [line for _, line in prose(text_of(Path("README.md"))) if not line.startswith("|")]
    assert len(" ".join(read).split()) <= 5 * 240


def test_the_index_of_the_runbook_leads_to_every_page() -> None:
    led = {
        Path(os.path.normpath(INDEX.parent / link.path))
        for link in links(text_of(INDEX))
        if link.path
    }
    assert set(OPERATORS) - {INDEX} - led == set()


@pytest.mark.parametrize("document", OPERATORS, ids=str)
def test_a_page_for_operators_can_be_looked_through(document: Path) -> None:
    assert len(text_of(document).splitlines()) <= PAGE


@pytest.mark.parametrize("document", sorted({*OPERATORS} - {LICENSED}), ids=str)
def test_every_command_of_a_page_for_operators_is_run(document: Path) -> None:
    assert str(document) in DOCUMENTS or not list(steps(str(document), text_of(document)))


def test_a_paragraph_stands_on_one_page() -> None:
    seen: dict[str, Path] = {}
    twice = [
        f"{document}, {seen[paragraph]}: {paragraph[:60]}"
        for document in OPERATORS
        for paragraph in re.split(r"\n\s*\n", text_of(document))
        if len(paragraph) > 200 and seen.setdefault(paragraph, document) != document
    ]
    assert twice == []


def test_links_and_anchors_are_read_as_a_forge_reads_them() -> None:
    text = (
        "# A `b`, c's\n\n[x](y.md#z) `[n](o)` [w](https://e.example/)\n```\n# no\n```\n## A\n## A\n"
    )
    assert links(text) == [Link(3, "y.md", "z")]
    assert anchors(text) == ["a-b-cs", "a", "a-1"]
    assert anchors("## What you ran → what you run\n") == ["what-you-ran--what-you-run"]
