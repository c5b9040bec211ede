"""Whose act a row of the audit log says it is."""

import contextvars

import pytest

from control.store.origin import Origin, come, origin


@pytest.mark.parametrize(
    ("kind", "name", "who", "wanted"),
    [
        ("user", "anna", "anna", "user"),
        # A part of ours that acts while somebody's request is answered.
        ("user", "anna", "warmup", "warm-up"),
        ("token", "panel", "control", "control"),
        ("token", "warmup", "warmup", "token"),
        ("job", "cleanup", "control", "job"),
        ("job", "warmup-late", "warmup", "warm-up"),
    ],
)
def test_the_kind_is_of_who_acts(kind: str, name: str, who: str, wanted: str) -> None:
    def act() -> Origin:
        come(kind, name, "192.0.2.1")
        return origin(who)

    assert contextvars.copy_context().run(act) == Origin(wanted, who, "192.0.2.1")


def test_what_nobody_began_is_ours() -> None:
    found = {who: contextvars.Context().run(origin, who) for who in ("control", "command line")}
    assert {who: (of.kind, of.address) for who, of in found.items()} == {
        "control": ("control", ""),
        "command line": ("command", ""),
    }
