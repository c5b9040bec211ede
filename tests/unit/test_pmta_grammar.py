"""What a configuration may say, and the one line that refuses it."""

from pathlib import Path

import pytest

from loadtest.pmta.config import load
from loadtest.pmta.grammar import ConfigError

VMTA = "<virtual-mta {0}>\nsmtp-source-host 192.0.2.1 m.t.test\n{1}</virtual-mta>\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("weight 1\n", "line 1 of .*unknown directive 'weight'"),
        ("# a\nhost-name\n", "line 2 of .*argument missing"),
        ('host-name "a#b"\n', "closing quote missing"),
        ("<virtual-mta v>\n", "line 1 of .*never closed"),
        ("</virtual-mta>\n", "closes nothing"),
        ("<domain x>\n</source>\n", "line 2 of .*expected </domain>"),
        ("<limits>\n</limits>\n", "unknown block <limits>"),
        ("<virtual-mta v>\nsmtp-source-host m.t.test 192.0.2.1\n</virtual-mta>\n", "invalid IP"),
        (VMTA.format("v", "max-msg-rate 5/h\n"), "unknown directive 'max-msg-rate' in"),
        (VMTA.format("v", "<domain *>\nmax-msg-rate many\n</domain>\n"), "such as 100/15m"),
        (VMTA.format("v", "") * 2, "already defined"),
        ("<virtual-mta-pool p>\nvirtual-mta v\n</virtual-mta-pool>\n", "no virtual-mta 'v'"),
        (
            VMTA.format("v", "")
            + "<virtual-mta-pool p>\nvirtual-mta v weight 3\n</virtual-mta-pool>\n",
            "no virtual-mta 'v weight 3'",
        ),
        ("include missing.inc\n", "line 1 of .*cannot read .*missing.inc"),
        ("include config\n", "includes itself"),
        ("<domain $big>\n</domain>\n", "no domain-macro 'big'"),
        ("<source 0/0>\ndefault-virtual-mta v\n</source>\n", "no virtual-mta 'v' for default"),
    ],
)
def test_a_mistake_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigError, match=problem) as caught:
        load(tmp_path / "config")
    assert "\n" not in str(caught.value)


def test_real_world_oddities_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.inc").write_text("<domain *>\n\tretry-after 10m,30m\r\n</domain>\n")
    (tmp_path / "config").write_text(
        "domain-macro big a.test,b.test\nHOST-NAME x # comment\ninclude *.inc\n"
        "<domain *>\nmax-msg-rate 100/15m\n</domain>\n<domain $big>\ntype discard\n</domain>\n"
        "<domain [*.]c.test>\ntype discard\n</domain>\n"
        "<smtp-pattern-list p>\nreply /^421 .* many/ mode=backoff\n</smtp-pattern-list>\n"
        "<acct-file /var/log/pmta/acct.csv>\nrecords r,d,b,t\nmax-size 5M\n</acct-file>\n"
    )
    config = load(tmp_path / "config")
    assert config.discards == {"a.test", "b.test", "c.test", "*.c.test"}
