"""Circuits: what opens them, who probes, what closes them. Time is a number."""

from gateway.relay.circuit import Circuit, Circuits, State


def circuit() -> Circuit:
    return Circuit("pmta1", failures=3, wait=10.0, wait_max=40.0, unwell={})


def test_failures_of_different_messages_open_it() -> None:
    one = circuit()
    for message in ("a", "b"):
        one.failed(message, "451", 0.0, immediate=False)
    assert one.state is State.CLOSED
    one.failed("c", "451 too busy", 0.0, immediate=False)
    assert one.state is State.OPEN
    assert repr(one) == "<Circuit pmta1: open, 451 too busy>"


def test_hazard_14_one_bad_message_never_opens_it() -> None:
    one = circuit()
    for _ in range(100):
        one.failed("oversized", "552", 0.0, immediate=False)
    assert one.state is State.CLOSED
    assert one.admits("other", 0.0)


def test_a_success_between_failures_starts_the_count_anew() -> None:
    one = circuit()
    for message in ("a", "b"):
        one.failed(message, "451", 0.0, immediate=False)
    one.succeeded()
    one.failed("c", "451", 0.0, immediate=False)
    assert one.state is State.CLOSED


def test_a_refused_login_opens_it_at_once() -> None:
    one = circuit()
    one.failed("a", "535", 0.0, immediate=True)
    assert one.blocked("b", 1.0)
    assert not one.admits("b", 9.9)


def test_one_probe_goes_when_the_wait_is_over_and_not_the_message_that_failed() -> None:
    one = circuit()
    one.failed("a", "535", 0.0, immediate=True)
    assert not one.admits("a", 10.0)
    assert one.admits("b", 10.0)
    assert one.state is State.PROBING
    assert one.blocked("c", 10.0)
    assert not one.admits("c", 10.0)
    one.succeeded()
    assert one.admits("c", 10.0)


def test_the_message_that_failed_last_may_probe_when_the_longest_wait_has_passed() -> None:
    """A lone message: there is no other that could find out."""
    one = circuit()
    one.failed("a", "535", 0.0, immediate=True)
    assert one.blocked("a", 39.9)
    assert not one.blocked("a", 40.0)
    assert one.admits("a", 40.0)
    one.failed("a", "535", 41.0, immediate=True)
    assert not one.admits("a", 80.9)
    assert one.admits("a", 81.0)
    one.succeeded()
    assert one.admits("b", 81.0)


def test_what_left_before_the_probe_does_not_speak_for_it() -> None:
    one = circuit()
    one.failed("a", "535", 0.0, immediate=True)
    assert one.admits("b", 10.0)
    one.failed("c", "connection lost", 10.5, immediate=False)
    one.abandoned("d", 10.5)
    assert one.state is State.PROBING
    one.failed("b", "535", 11.0, immediate=True)
    assert one.rests(11.0) == 20.0


def test_full_slots_do_not_make_the_wait_grow() -> None:
    one = circuit()
    one.failed("a", "421", 0.0, immediate=True, full=True)
    for turn in range(1, 6):
        assert one.admits(f"probe-{turn}", 10.0 * turn)
        one.failed(f"probe-{turn}", "421", 10.0 * turn, immediate=True, full=True)
    assert one.full
    # Not its fault: it need not wait for another one to find out.
    assert one.admits("probe-5", 60.0)
    one.succeeded()
    assert not one.full


def test_an_open_circuit_keeps_no_list_of_those_that_failed() -> None:
    one = circuit()
    for turn in range(1000):
        one.failed(f"m{turn}", "451", 100.0 * turn, immediate=False)
        one.admits(f"m{turn}-probe", 100.0 * turn + 50)
    assert len(one._failed) < 3


def test_a_failed_probe_doubles_the_wait_up_to_its_bound() -> None:
    one = circuit()
    one.failed("a", "535", 0.0, immediate=True)
    now = 10.0
    for wait in (20.0, 40.0, 40.0):
        assert one.admits(f"probe-{now}", now)
        one.failed(f"probe-{now}", "535", now, immediate=True)
        assert not one.admits("x", now + wait - 0.1)
        now += wait
    assert one.admits("x", now)


def test_a_probe_that_told_nothing_lets_the_next_one_go() -> None:
    one = circuit()
    one.failed("a", "535", 0.0, immediate=True)
    assert one.admits("b", 10.0)
    one.abandoned("b", 11.0)
    assert one.admits("c", 11.0)


def test_a_lost_probe_does_not_close_the_circuit_for_ever() -> None:
    one = circuit()
    one.failed("a", "535", 0.0, immediate=True)
    assert one.admits("b", 10.0)
    assert not one.admits("c", 49.0)
    assert one.admits("c", 51.0)


def test_circuits_block_by_name_and_forget_what_left() -> None:
    circuits = Circuits(failures=1, wait=10.0, wait_max=40.0)
    circuits["pmta1"].failed("a", "x", 0.0, immediate=False)
    assert circuits.blocked("b", 1.0) == ("pmta1",)
    assert circuits["pmta2"].admits("b", 1.0)
    circuits.keep_only({"pmta2"})
    assert circuits.blocked("b", 1.0) == ()


def test_an_unknown_name_is_asked_for_by_our_own_probe_alone() -> None:
    every = Circuits(failures=3, wait=10.0, wait_max=40.0)
    every["v1"].failed("a", "550 5.5.0", 0.0, immediate=True, unknown=True)
    one = every["v1"]
    assert every.unknown() == [one]
    # No message of a client's, however long it waits.
    assert not one.admits("b", 1_000.0)
    assert every.blocked("b", 1_000.0) == ("v1",)
    assert not one.admits("probe-1", 9.9)
    assert one.admits("probe-1", 10.0)
    one.failed("probe-1", "550 5.5.0", 10.0, immediate=True, unknown=True)
    assert one.rests(10.0) == 20.0
    assert one.admits("probe-2", 30.0)
    # PowerMTA may refuse before it comes to look at the name.
    one.answered("probe-2", 30.0)
    assert one.state is State.OPEN
    assert every.unknown() == [one]
    assert one.admits("probe-3", 31.0)
    one.succeeded()
    assert every.all_closed
    assert one.admits("b", 31.0)
    assert every.unknown() == []


def test_a_refusal_closes_any_other_circuit() -> None:
    every = Circuits(failures=3, wait=10.0, wait_max=40.0)
    every["v1"].failed("a", "451", 0.0, immediate=True)
    every.answered("v1", "b", 1.0)
    assert every.all_closed
