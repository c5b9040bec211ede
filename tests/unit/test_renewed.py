"""Whose resting mail is looked at again after a change."""

import msgspec

from gateway.hold.release.renewed import Renewed
from policy.model import MailboxLimits
from tests.support.gateway.generations import tenant

ACME, GLOBEX = tenant(), tenant("globex")
RAISED = msgspec.structs.replace(ACME, mailbox_default=MailboxLimits(daily_max=9))
OWN = msgspec.structs.replace(GLOBEX, mailboxes={"a@globex.test": MailboxLimits(daily_max=9)})


def known() -> Renewed:
    """That has looked at all there is."""
    renewed = Renewed()
    assert renewed.look([ACME, GLOBEX]) is None, "what changed before is not known"
    renewed.done()
    return renewed


def test_those_whose_terms_of_mailboxes_changed_until_it_is_done() -> None:
    renewed = known()
    assert renewed.look([RAISED, GLOBEX]) == ["acme"]
    assert renewed.look([RAISED, OWN]) == ["acme", "globex"], "a change before the last look"
    renewed.done()
    assert renewed.look([RAISED, OWN]) == []


def test_not_those_of_whom_something_else_changed() -> None:
    paused = msgspec.structs.replace(ACME, paused=True, max_recipients=3)
    assert known().look([paused, GLOBEX]) == []


def test_a_moved_clock_is_everybodys_until_it_is_done() -> None:
    renewed = known()
    renewed.all()
    assert renewed.look([ACME, GLOBEX]) is None
    assert renewed.look([ACME, GLOBEX]) is None
    renewed.done()
    assert renewed.look([ACME, GLOBEX]) == []


def test_a_tenant_that_is_new() -> None:
    assert known().look([ACME, GLOBEX, tenant("third")]) == ["third"]
