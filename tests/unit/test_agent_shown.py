"""What PowerMTA shows is read whatever its JSON looks like, and what cannot be read is unknown."""

from typing import Any

import pytest

from control.agent.applying.shown import Queue, counted, lacking, paused, queues

ENVELOPE = {"status": "success"}


@pytest.mark.parametrize(
    "answer",
    [
        {"vmta": ["v1", "Pool-A"]},
        {**ENVELOPE, "data": {"vmta": [{"name": "V1"}, {"name": "pool-a", "kind": "pool"}]}},
        {**ENVELOPE, "data": {"vmtas": {"vmta": {"v1": {"queues": 3}, "pool-a": {}}}}},
        [{"virtualMta": "v1"}, {"virtualMtaPool": "pool-a"}],
        'name  queues\n"v1"  3\npool-a  0\n',
    ],
)
def test_names_are_found_in_any_form(answer: Any) -> None:
    assert lacking(answer, ["v1", "pool-a"]) == []
    assert lacking(answer, ["V1", "v11", "pool"]) == ["v11", "pool"]


SEVEN = [Queue("gmail.com", "v1", 7, True)]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"queue": [{"name": "gmail.com/V1", "rcp": 7, "paused": True}]}, SEVEN),
        ({"data": {"queues": {"queue": {"name": "gmail.com/v1", "rcp": "7", "paused": 1}}}}, SEVEN),
        ([{"queue": "gmail.com/v1", "kb": 1, "rcpCount": "7", "mode": "paused"}], SEVEN),
        ({"data": {"queue": {"gmail.com/v1": {"recipients": 7, "isPaused": "yes"}}}}, SEVEN),
        ({"data": {"gmail.com/v1": 7}}, [Queue("gmail.com", "v1", 7, False)]),
        ({"queue": [{"name": "a.com/v1", "rcp": "many"}]}, [Queue("a.com", "v1", None, False)]),
        ({"queue": []}, []),
        ({"data": {"queue": {}}}, []),
        ({"queue": [{"name": "gmail.com", "rcp": 7}]}, None),
        ({"queue": ["gmail.com/v1"]}, None),
        ({"data": {}}, None),
        ({"data": None}, None),
        ("gmail.com/v1 7", None),
        (None, None),
    ],
)
def test_queues_are_found_in_any_form_or_not_at_all(answer: Any, found: list[Queue] | None) -> None:
    assert queues(answer) == found


def test_what_waits_is_summed_and_never_guessed() -> None:
    found = [
        Queue("a.com", "v1", 7, True),
        Queue("b.com", "v1", 2, False),
        Queue("c.com", "v2", None, False),
        Queue("d.com", "v2", 3, True),
        Queue("e.com", "other", 1, True),
    ]
    assert counted(found, ["V1", "v2", "v3"]) == {"V1": 9, "v3": 0}
    assert paused(found, ["v1", "v2", "v3"]) == [
        "VirtualMTA v1 is paused by hand for a.com",
        "VirtualMTA v2 is paused by hand for d.com",
    ]
    many = [Queue(f"{n}.com", "v1", 0, True) for n in range(9)]
    assert paused(many, ["v1"]) == [
        "VirtualMTA v1 is paused by hand for 0.com, 1.com, 2.com and 6 more"
    ]


def test_a_list_of_names_may_be_all_that_is_said() -> None:
    for answer in ({"status": "success", "data": ["v1", "v2"]}, ["v1", "v2"]):
        assert lacking(answer, ["V1", "v2", "success"]) == ["success"]
