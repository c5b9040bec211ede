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
        ("<virtual-mta v>\nsmtp-source-host m.t.test 192.0.2.1\n</virtual-mta>\n", "'m.t.test'"),
        (VMTA.format("v", "max-msg-rate 5/h\n"), "'max-msg-rate' may not stand in"),
        (VMTA.format("v", "<domain *>\nmax-msg-rate many\n</domain>\n"), "such as 100/15m"),
        (VMTA.format("v", "") * 2, "already defined"),
        ("<virtual-mta-pool p>\nvirtual-mta v\n</virtual-mta-pool>\n", "no virtual-mta 'v'"),
        (
            VMTA.format("v", "")
            + "<virtual-mta-pool p>\nvirtual-mta v weight 3\n</virtual-mta-pool>\n",
            "line 5 of .*unexpected 'weight 3' for 'virtual-mta'",
        ),
        ("include missing.inc\n", "line 1 of .*cannot read .*missing.inc"),
        ("include config\n", "includes itself"),
        ("<domain $big>\n</domain>\n", "no domain-macro 'big'"),
        ("<domain yahoo.$tld>\n</domain>\n", "no domain-macro 'tld'"),
        ("domain-macro a $b\ndomain-macro b $a\n", "line 1 of .*'a' leads to itself: a -> b -> a"),
        ("domain-macro a x,y/\n<domain $a>\n</domain>\n", "line 2 of .*invalid value 'y/'"),
        ("<spool /s>\ninclude a.inc\n</spool>\n", "'include' may not stand in <spool>"),
        ("<domain-key-list a>\n</domain-key-list b>\n", "expected </domain-key-list>"),
        ("use-proxy p\n", "line 1 of .*no <proxy p>"),
        ("<proxy p>\nserver 192.0.2.1:1\n</proxy>\n", "<proxy> needs 'client'"),
        (
            "<source 0/0>\npattern-list p\n</source>\n<pattern-list p>\n</pattern-list>\n",
            "line 2 of .*no <pattern-list p> above",
        ),
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


def test_macros_stand_for_parts_of_domains_and_in_macros(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "<domain yahoo$all>\ntype discard\n</domain>\n"
        "domain-macro all $com, .org # whatever the order\ndomain-macro COM .com,.co.uk\n"
    )
    assert load(tmp_path / "config").discards == {"yahoo.com", "yahoo.co.uk", "yahoo.org"}


def test_a_list_of_patterns_opens_another_behind_a_line(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "<pattern-list p>\n    mail-from /news letter/ <pattern-list>\n"
        "        rcpt-to /^stud.*@x.test$/ virtual-mta=students\n        * virtual-mta=any\n"
        "    </pattern-list>\n    header x-a /b/ call-to: q\n</pattern-list>\n"
        "<domain-key-list k>\ndomain-key m, x.test, /m.pem\n</domain-key-list k>\n"
    )
    load(tmp_path / "config")
