"""What is known of invented directives: they are in no table, and their likes are found."""

from fnmatch import filter as matching

import pytest

from control.pmta.directive import GLOBAL, rows, why_not
from control.pmta.invented import (
    ANYWHERE,
    INVENTED,
    REMOVED,
    UNLISTED,
    Invented,
    invented,
    inventions,
)
from loadtest.pmta.form import refusal
from loadtest.pmta.table import table

SEEN = [
    ("virtual-mta-pool", "virtual-mta", "vmta1 weight 10"),
    ("virtual-mta-pool", "domain-selection", "round-robin"),
    ("acct-file", "format", "csv"),
    ("acct-file", "rotate-period", "1d"),
    ("acct-file", "records", "all"),
    ("acct-file", "records", "d, All"),
    (GLOBAL, "<bounce-log>", "/var/log/b.csv"),
    (GLOBAL, "<limits>", ""),
    ("domain", "throttle", "100/h"),
    ("Virtual-MTA", "Max-Msg-Rate", "100/h"),
    ("virtual-mta-pool", "max-msg-rate", "100/h"),
    (GLOBAL, "smtp-listener", "{"),
    (GLOBAL, "smtp-listener", "0.0.0.0:25 {"),
    ("virtual-mta", "smtp-source-host", "mail.example 192.0.2.1"),
    (GLOBAL, "smtp-source-host", "mail1.example  2001:db8::1"),
    (GLOBAL, "routing-file", "/etc/pmta/routes"),
    ("domain", "resolve-to", "192.0.2.1"),
    (GLOBAL, "<rcpt-list>", "staff"),
    ("domain", "smtp-25bit-mode", "yes"),
    ("domain", "backoff-trigger-pattern", "/rate limit/i"),
    ("domain", "backoff-retry-profile", "standard"),
    (GLOBAL, "dkim-sign-policy", "* {"),
    ("source", "require-rdns", "yes"),
    ("virtual-mta", "cold-virtual-mta", "192.0.2.1 mail.example"),
    ("acct-file", "record-fields", "d timeLogged,timeImprinted,rcpt"),
    ("source", "remove-received-headers", "true"),
    ("domain", "mx-connection-attempts", "1"),
]


@pytest.mark.parametrize("known", inventions(), ids=lambda known: known.name)
def test_what_is_invented_is_in_neither_table(known: Invented) -> None:
    theirs = table()
    ours = {(place, row.name) for row in rows() for place in row.places}
    places = theirs.keys() if ANYWHERE in known.places else known.places
    assert known.name == known.name.lower()
    assert known.status in (INVENTED, REMOVED, UNLISTED)
    for place in places:
        if known.argument:
            assert (place, known.name) in ours, "only an argument can be invented here"
            assert known.name in theirs[place]
        else:
            names = {name for at, name in ours if at == place}
            assert not matching(names | theirs[place].keys(), known.name)


@pytest.mark.parametrize(("place", "name", "argument"), SEEN)
def test_what_is_seen_is_refused_and_found(place: str, name: str, argument: str) -> None:
    row = table()[place.lower()].get(name.lower())
    assert why_not(place, name, argument)
    assert row is None or refusal(row.form, argument)
    assert invented(place, name, argument) is not None


def test_each_is_seen_once_at_least() -> None:
    assert {invented(*seen) for seen in SEEN} == set(inventions())


def test_what_is_written_instead_is_in_the_table() -> None:
    names = {row.name for row in rows()}
    for known in inventions():
        assert not known.instead or known.instead.split()[0] in names, known
        assert known.why


@pytest.mark.parametrize(
    ("place", "name", "argument"),
    [
        ("virtual-mta-pool", "virtual-mta", "weight"),
        ("virtual-mta-pool", "virtual-mta", "v1"),
        ("acct-file", "records", "d,b"),
        (GLOBAL, "smtp-listener", "0/0:2525"),
        (GLOBAL, "smtp-source-host", "192.0.2.1 mail.example"),
        (GLOBAL, "smtp-source-host", "10/8 mail.example"),
        (GLOBAL, "smtp-source-host", "2001:db8::1 mail.example"),
        ("virtual-mta", "cold-virtual-mta", "cold-1"),
        ("domain", "max-msg-rate", "100/h"),
        ("acct-file", "record-fields", "d *,!orcpt"),
    ],
)
def test_what_the_guide_has_is_never_called_invented(place: str, name: str, argument: str) -> None:
    assert why_not(place, name, argument) == ""
    assert invented(place, name, argument) is None


def test_what_only_is_not_listed_is_kept_apart() -> None:
    found = invented("source", "Remove-Received-Headers", "yes")
    assert found is not None
    assert found.status == UNLISTED
    assert found.instead == "remove-header Received"
    assert {known.name for known in inventions() if known.status == UNLISTED} == {
        "remove-received-headers",
        "mx-connection-attempts",
    }
