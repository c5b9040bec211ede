"""The command line: what it gives, and how it refuses."""

from pathlib import Path

import pytest

from loadtest.pmta.options import Address, Options, parse
from loadtest.pmta.spool import Store


def test_no_arguments_are_the_defaults() -> None:
    assert parse([]) == Options()


def test_each_argument_arrives() -> None:
    line = "--listen [::1]:0 --listen 127.0.0.1:1 --store counts --require-auth u:p:q --tls c k"
    options = parse([*line.split(), "--max-sessions", "7"])
    assert options.listen == (Address("::1", 0), Address("127.0.0.1", 1))
    assert options.store is Store.COUNTS
    assert options.login == ("u", "p:q")
    assert options.tls == (Path("c"), Path("k"))
    assert options.max_sessions == 7


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("--listen 2525", "HOST:PORT"),
        ("--http a:70000", "HOST:PORT"),
        ("--require-auth user", "USER:PASS"),
        ("--max-sessions many", "whole number"),
        ("--store some", "invalid"),
    ],
)
def test_a_bad_argument_names_its_fix(
    line: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
