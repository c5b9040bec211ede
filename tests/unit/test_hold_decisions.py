"""The hold's plain decisions: what an outcome makes of a row, which groups may be looked at."""

import pytest

from gateway.hold.held import REST, Backoff, Held, settlement
from gateway.hold.keep.backlog import Count
from gateway.hold.keep.content import BadKeyError, Contents, UnreadableError
from gateway.hold.release.groups import SOON, Groups
from policy.denial import Denied, Limit
from policy.ledger_port import Mark
from policy.outcome import Asked, Failed, Outcome, Refused, Relayed, Scope, Stage, Unknown
from policy.reply import Reply

BACKOFF = Backoff(60.0, 3600.0, 20)
NOW = 1_000_000
OK = Relayed(Reply(250, "2.0.0", "OK"))
NO = Refused(Reply(550, "5.1.1", "no such user"), Stage.RCPT)
BAD = Failed("lost", Scope.SERVER)


def settled(outcome: Outcome, failures: int = 0, *, own: bool = True) -> tuple[str, ...]:
    found = settlement(
        1, "m", 3, outcome, now=NOW, failures=failures, blamed=failures, backoff=BACKOFF, own=own,
        dsn=True,
    )  # fmt: skip
    assert found.attempt == 3
    return found.state, found.ending, found.event, found.dsn, str(found.due)


@pytest.mark.parametrize(
    ("outcome", "failures", "wanted"),
    [
        (OK, 0, ("done", "relayed", "", "", "0")),
        (NO, 0, ("refused", "refused", "refused", "wanted", "0")),
        (Unknown("silent"), 0, ("doubt", "", "", "", "0")),
        (BAD, 0, ("held", "", "", "", str(NOW + 60_000))),
        (BAD, 1, ("held", "", "", "", str(NOW + 120_000))),
        (BAD, 10, ("held", "", "", "", str(NOW + 3_600_000))),
        (BAD, 19, ("refused", "failed", "failed", "wanted", "0")),
    ],
)
def test_an_outcome_moves_a_row(outcome: Outcome, failures: int, wanted: tuple[str, ...]) -> None:
    assert settled(outcome, failures) == wanted


def test_a_message_is_not_given_up_while_nothing_passes() -> None:
    assert settled(BAD, 500, own=False)[0] == "held"


def test_a_session_that_could_not_be_opened_is_never_charged_to_the_message() -> None:
    no_session = Failed("cannot connect", Scope.SERVER, asked=Asked.SESSION)
    assert settled(no_session, 500) == ("held", "", "", "", str(NOW + 3_600_000))


def test_what_was_not_begun_rests_without_a_failure() -> None:
    resting = Failed("pmta1 is resting", Scope.MESSAGE, asked=Asked.NOTHING)
    found = settlement(
        1, "m", 3, resting, now=NOW, failures=5, blamed=5, backoff=BACKOFF, own=True, dsn=True
    )
    assert (found.state, found.failed, found.blamed, found.due) == ("held", 0, 0, NOW + REST)
    assert (found.reason, found.detail) == ("server_away", "pmta1 is resting")


def test_a_failure_is_the_messages_own_when_another_passed_since_the_one_before() -> None:
    def row(failures: int, failed_at: int) -> Held:
        return Held(
            bucket=1, id="m", body="m", tenant="acme", pool="p", provider="gmail", mailbox="a@b.c",
            bulk=True, recipient=b"x@y.z", notify=b"", orcpt=b"", campaign="", key="", size=1,
            arrived=1000, attempt=3, failures=failures, blamed=0, failed_at=failed_at,
            reason="failed", until=0,
        )  # fmt: skip

    assert not row(0, 0).blames(5000)  # it has not failed before
    assert row(1, 0).blames(1001)  # failed live, as it arrived
    assert not row(1, 0).blames(1000)
    assert row(2, 3000).blames(3001)
    assert not row(2, 3000).blames(3000)
    assert not row(2, 3000).blames(0)


def count(provider: str = "gmail", tenant: str = "acme", number: int = 5, **changes: bool) -> Count:
    return Count(
        tenant, "pool", provider, "held", "ip_quota", changes.get("waiting", False),
        changes.get("paused", False), number, 100, 0,
    )  # fmt: skip


def _waiting(counts: list[Count]) -> list[tuple[str, tuple[str, str]]]:
    return [(count.tenant, (count.pool, count.provider)) for count in counts]


def denied(limit: Limit, until: int = NOW + 60_000) -> Denied:
    return Denied(limit, "x", until, 0, 0)


def test_a_full_provider_blocks_nobody_else() -> None:
    groups, waiting = Groups(), [("acme", ("pool", "gmail")), ("acme", ("pool", "yahoo"))]
    groups.block("acme", ("pool", "gmail"), denied(Limit.IP_PROVIDER), NOW)
    assert groups.open(waiting, NOW) == [("acme", ("pool", "yahoo"))]
    assert groups.wakes(NOW) == NOW + 60_000
    assert groups.open(waiting, NOW + 60_000) == waiting


def test_a_mailbox_blocks_only_itself() -> None:
    groups = Groups()
    groups.block("acme", ("pool", "gmail"), denied(Limit.MAILBOX_MAX), NOW)
    assert groups.open([("acme", ("pool", "gmail"))], NOW)


def test_a_tenants_rate_blocks_its_groups_and_the_ledger_everybody() -> None:
    groups, group = Groups(), ("pool", "gmail")
    waiting = [("acme", group), ("globex", group)]
    groups.block("acme", ("pool", "gmail"), denied(Limit.TENANT_HOUR), NOW)
    assert groups.open(waiting, NOW) == [("globex", group)]
    groups.block("globex", ("pool", "gmail"), denied(Limit.LEDGER_AWAY, 0), NOW)
    assert groups.open(waiting, NOW) == []
    assert groups.wakes(NOW) == NOW + SOON


def test_a_providers_rate_blocks_that_provider_of_everybody() -> None:
    groups, counts = Groups(), [count(), count(tenant="globex"), count("yahoo")]
    groups.block("acme", ("pool", "gmail"), denied(Limit.PROVIDER_HOUR), NOW)
    assert groups.open(_waiting(counts), NOW) == [("acme", ("pool", "yahoo"))]
    assert groups.wakes(NOW) == NOW + 60_000
    groups.forget()
    assert len(groups.open(_waiting(counts), NOW)) == 3


def test_a_pools_rate_blocks_the_pool_and_a_mailboxes_only_itself() -> None:
    groups = Groups()
    groups.block("acme", ("pool", "gmail"), denied(Limit.MAILBOX_HOUR), NOW)
    assert groups.open(_waiting([count()]), NOW)
    groups.block("acme", ("pool", "gmail"), denied(Limit.POOL_MINUTE), NOW)
    assert not groups.open(_waiting([count()]), NOW)


@pytest.mark.parametrize("limit", [Limit.TENANT_HOUR, Limit.GLOBAL_MINUTE, Limit.PROVIDER_HOUR])
def test_what_a_rate_keeps_is_marked_so_that_live_mail_does_not_take_its_places(
    limit: Limit,
) -> None:
    groups = Groups()
    groups.block("acme", ("pool", "gmail"), denied(limit), NOW)
    assert groups.open(_waiting([count()]), NOW) == []
    assert groups.marks([count()], NOW) == [Mark("pool", "gmail", 5)]
    groups.block("acme", ("pool", "gmail"), denied(Limit.WINDOW), NOW)
    assert groups.marks([count()], NOW) == []


def test_marks_tell_what_only_an_ips_limit_keeps() -> None:
    groups = Groups()
    counts = [count("gmail"), count("yahoo"), count("other"), count("gmail", waiting=True)]
    groups.block("acme", ("pool", "gmail"), denied(Limit.IP_QUOTA), NOW)
    groups.block("acme", ("pool", "yahoo"), denied(Limit.POOL_PAUSED, 0), NOW)
    assert groups.marks(counts, NOW) == [Mark("pool", "gmail", 5), Mark("pool", "other", 5)]


def test_a_sealed_content_opens_only_as_what_it_was() -> None:
    key = "k1:" + "A" * 43 + "="
    codec, content = Contents((key,)).pack("m", b"head", b"body")
    assert b"body" not in content
    assert Contents(("k2:" + "B" * 43 + "=", key)).open("m", codec, content) == (b"head", b"body")
    with pytest.raises(UnreadableError, match="altered"):
        Contents((key,)).open("other", codec, content)
    with pytest.raises(UnreadableError, match="lacks key k1"):
        Contents().open("m", codec, content)


@pytest.mark.parametrize("key", ["k1", "k1:abc", ":" + "A" * 43 + "=", "k 1:" + "A" * 43 + "="])
def test_a_key_that_cannot_be_used_is_refused(key: str) -> None:
    with pytest.raises(BadKeyError, match=r"hold\.keys"):
        Contents((key,))
