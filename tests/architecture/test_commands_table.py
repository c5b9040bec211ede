"""`make commands` runs every command of the documents: its table names no command that is gone."""

from tests.setup.commands.__main__ import DOCUMENTS
from tests.setup.commands.document import Step, steps
from tests.setup.commands.table import table
from tests.support.repository import ROOT


def said() -> list[str]:
    """Every command line of the documents."""
    return [
        step.text
        for document in DOCUMENTS
        for step in steps(document, (ROOT / document).read_text("utf-8"))
        if step.kind == "sh"
    ]


def test_every_entry_of_the_table_has_its_command_and_its_reason() -> None:
    made = table()
    assert made.unused(said()) == []
    assert made.unused([]) != []
    assert all(len(entry.why) > 5 for entry in (*made.instead, *made.stays, *made.code))


def test_few_commands_are_not_run() -> None:
    instead = table().instead
    left_out = [line for line in said() if any(line.startswith(e.command) for e in instead)]
    assert len(left_out) <= 12
    assert not [line for line in left_out if line.startswith("sendgate")]


def test_lines_are_numbered_and_joined() -> None:
    text = "a\n```sh\n$ one\n\ntwo \\\n  three\n```\n```toml\nx = 1\n```\n"
    assert list(steps("d", text)) == [
        Step("d", 3, "sh", "one"),
        Step("d", 5, "sh", "two   three"),
        Step("d", 9, "toml", "x = 1\n"),
    ]
