"""A fault suite that cannot fail proves nothing: each mechanism is taken out of the running
gateway once, and the books must show what it prevents."""

import asyncio

from tests.faults.books import OPEN, Quota
from tests.faults.conftest import Begin
from tests.faults.copies import copies_that_go
from tests.faults.failover import failed_over, misled, replaced
from tests.faults.mail import divided, sizes, twin
from tests.faults.middlefile import lose_the_middle_file
from tests.faults.midnight import over_midnight
from tests.faults.proxy import Cut
from tests.faults.refusing import Refusing, refused_for_a_day
from tests.faults.several import restored_with_several
from tests.faults.stack import AMPLE

SCARCE = {"vmta-small": Quota(20), "vmta-large": Quota(60, {"gmail": 5})}


async def test_without_charges_that_stand_the_quota_is_exceeded(begin: Begin, scale: int) -> None:
    scenario = await begin(
        "broken: relayed charges are refunded", quotas=SCARCE, breakage="refund_what_was_relayed"
    )
    await scenario.load.send(200 * scale)
    assert (await scenario.books()).excess


async def test_with_a_guess_in_place_of_doubt_a_message_is_lost(begin: Begin, scale: int) -> None:
    scenario = await begin(
        "broken: the unknown is acknowledged", through=("pmta",), breakage="acknowledge_the_unknown"
    )
    scenario.stack.proxies["pmta"].tear(Cut.DOT_LOST, 5)
    await scenario.load.send(100 * scale)
    assert (await scenario.books()).lost


async def test_with_the_answer_before_the_commit_a_dying_database_takes_mail_along(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "broken: 250 before the commit", quotas=SCARCE, breakage="acknowledge_before_the_commit"
    )
    postgres = scenario.stack.postgres
    await scenario.load.send(150 * scale)
    postgres.freeze()
    await scenario.load.send(50 * scale)
    await asyncio.sleep(scenario.stack.settings_of_gateway.hold.commit_budget + 0.5)
    postgres.kill()
    await postgres.restart()
    assert (await scenario.books()).lost


async def test_without_a_commit_before_data_refused_recipients_are_lost(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "broken: divided without a commit",
        load={"make": divided},
        breakage="divide_without_a_commit",
    )
    await scenario.load.send(60 * scale)
    lost = (await scenario.books()).lost
    assert lost
    assert all(recipient.startswith("refuse+") for recipient in lost)


async def test_without_the_tombstone_what_was_deferred_goes_all_the_same(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "broken: no tombstone",
        quotas=SCARCE,
        through=("postgres",),
        breakage="skip_the_tombstone",
    )
    await scenario.load.send(150 * scale)
    # What is committed from here on is committed, and nobody hears of it: its client is told 4xx.
    scenario.stack.proxies["postgres"].withhold()
    await scenario.load.send(20 * scale)
    scenario.stack.proxies["postgres"].go_on()
    await scenario.settle()
    await scenario.release_all()
    assert (await scenario.books()).denied_and_taken


async def test_without_the_age_of_a_grant_yesterdays_is_spent_today(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "broken: old grants are used",
        through=("pmta",),
        breakage="trust_every_grant",
        gateway={"workers": 2},
    )
    scenario.load.start()
    assert await over_midnight(scenario)
    await scenario.load.finish()


async def test_without_duplicate_keys_a_twin_goes_twice(begin: Begin, scale: int) -> None:
    scenario = await begin(
        "broken: no duplicate keys", load={"make": twin}, breakage="forget_duplicate_keys"
    )
    await scenario.load.send(60 * scale)
    assert (await scenario.books()).twice


async def test_with_claims_of_the_dead_held_again_what_they_sent_goes_twice(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "broken: claims of the dead are held",
        quotas=SCARCE,
        breakage="release_what_the_gone_had_claimed",
    )
    stack = scenario.stack
    await scenario.load.send(200 * scale)
    await stack.pmta.fault(reply_delay=0.3)
    await stack.raise_quotas(vmta_small=Quota(AMPLE), vmta_large=Quota(AMPLE))
    await scenario.until(lambda: len(stack.pmta.receipts.read()) > 100, "some are released")
    stack.gateway.kill(*stack.gateway.releasers())
    assert await scenario.none_waits(*OPEN, patience=40.0), scenario.waiting()
    assert (await scenario.books()).twice


async def test_with_columns_that_outlive_their_state_a_copy_goes_again_and_again(
    begin: Begin, scale: int
) -> None:
    scenario = await copies_that_go(
        begin,
        scale,
        "broken: what a row stood behind stays",
        breakage="judge_a_copy_by_its_first_for_ever",
        unbind=True,
    )
    receipts = scenario.stack.pmta.receipts
    await scenario.until(
        lambda: any(len(found) > 1 for found in receipts.by_recipient().values()),
        "a copy goes again",
    )
    assert (await scenario.books()).twice


async def test_with_a_rows_id_for_the_messages_what_was_restored_goes_twice(
    begin: Begin, scale: int
) -> None:
    scenario = await restored_with_several(
        begin,
        scale,
        "broken: a row's id for the message's",
        breakage="take_a_rows_id_for_the_messages",
    )
    await scenario.release_all()
    assert (await scenario.books()).twice


async def test_with_one_codec_for_all_threads_contents_or_processes_break(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "broken: one zstd context for all threads",
        quotas=SCARCE,
        breakage="share_the_codec",
        load={"connections": 10, "rate": 400.0, "make": sizes},
    )
    scenario.load.start()
    await scenario.until(scenario.stack.gateway.harm, "a process or a content breaks", 60.0)
    await scenario.load.finish()


async def test_without_a_lease_two_servers_count_to_the_whole_quota(
    begin: Begin, scale: int
) -> None:
    name = "broken: the ledger's line is trusted for ever"
    breakage = "trust_the_line_for_ever"
    async with failed_over(begin, scale, name, demoted=False, breakage=breakage) as scenario:
        await scenario.load.until_offered(1000 * scale)
        assert (await scenario.books()).excess


async def test_with_connections_to_a_standby_kept_mail_is_deferred_long_after(
    begin: Begin, scale: int
) -> None:
    name = "broken: connections to a standby are kept"
    breakage = "keep_connections_to_a_standby"
    async with misled(begin, scale, name, breakage=breakage) as (scenario, later):
        assert sum(offer.deferred for offer in later) > len(later) / 2
        await scenario.books()


async def test_with_a_standby_taken_for_its_primary_what_that_had_sent_goes_twice(
    begin: Begin, scale: int
) -> None:
    name = "broken: a standby is taken for its primary"
    breakage = "take_every_server_for_known"
    async with replaced(begin, scale, name, breakage=breakage) as scenario:
        await scenario.release_all()
        assert (await scenario.books()).twice


async def test_with_every_failure_charged_a_day_of_refusals_ends_a_message(begin: Begin) -> None:
    scenario = await refused_for_a_day(
        begin, "broken: every failure is charged", Refusing.CONNECTIONS, "blame_every_failure"
    )
    await scenario.books()
    assert [row.ending for row in scenario.rows] == ["failed"]


async def test_without_an_end_of_its_exclusion_a_lone_message_never_goes_again(
    begin: Begin,
) -> None:
    scenario = await refused_for_a_day(
        begin,
        "broken: what failed last never probes",
        Refusing.GREETING,
        "never_probe_with_what_failed_last",
        hours=2,
    )
    assert not await scenario.none_waits(*OPEN, patience=5.0)
    assert not scenario.stack.pmta.receipts.read()


async def test_with_missing_files_overlooked_an_absence_is_proved_that_is_none(
    begin: Begin, scale: int
) -> None:
    scenario = await begin(
        "broken: missing accounting files are overlooked",
        through=("pmta",),
        control=True,
        breakage="overlook_missing_files",
    )
    await lose_the_middle_file(scenario, scale)
    await scenario.release_all()
    assert (await scenario.books()).twice


async def test_a_breakage_that_breaks_no_promise_leaves_the_books_clean(
    begin: Begin, scale: int
) -> None:
    """So that the findings above come from what was broken, not from breaking as such."""
    scenario = await begin(
        "broken: refunds are forgotten", quotas=SCARCE, breakage="forget_refunds"
    )
    await scenario.load.send(100 * scale)
    await scenario.close()
