"""The benchmark's statistics, and the rule by which a quick run fails."""

from pathlib import Path

import pytest

from loadtest.benchmark import regression
from loadtest.benchmark.case import Case, quick_cases
from loadtest.benchmark.figures import percentile, ratio, spread
from loadtest.benchmark.machine import Machine
from loadtest.benchmark.regression import Baseline, Known, noise, verdict
from loadtest.benchmark.result import BARE, Result


def test_the_ratio_is_that_of_the_medians_and_each_round_keeps_its_own() -> None:
    found = ratio([50, 40, 45], [100, 100, 90])
    assert found.value == pytest.approx(0.45)
    assert found.rounds == [0.5, 0.4, 0.5]
    assert (found.low, found.high) == (0.4, 0.5)
    assert found.spread == pytest.approx(0.2)


@pytest.mark.parametrize(("figures", "base"), [([], []), ([1.0], [1.0, 2.0])])
def test_unequal_rounds_are_not_compared(figures: list[float], base: list[float]) -> None:
    with pytest.raises(ValueError, match="rounds"):
        ratio(figures, base)


def test_one_round_has_no_spread() -> None:
    assert spread([3.0]) == 0


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.995, 100), (1.0, 100)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


QUIET = [0.40, 0.41, 0.39, 0.40, 0.405]
NOISY = [0.40, 0.55, 0.28, 0.47, 0.33]


def test_one_wild_round_is_no_noise_and_does_not_decide() -> None:
    assert noise([0.4, 0.4, 0.4, 0.4, 0.1]) == 0
    assert not verdict("c", [0.4, 0.4, 0.4, 0.4, 0.1], Known(QUIET)).regressed


@pytest.mark.parametrize("rounds", [QUIET, NOISY])
def test_a_loss_of_forty_per_cent_shows_however_noisy_the_machine(rounds: list[float]) -> None:
    assert verdict("c", [0.6 * share for share in rounds], Known(rounds)).regressed


@pytest.mark.parametrize("rounds", [QUIET, NOISY])
@pytest.mark.parametrize("slower", [1.3, 1.0, 0.9, 0.8])
def test_what_noise_explains_passes(rounds: list[float], slower: float) -> None:
    assert not verdict("c", [slower * share for share in rounds], Known(rounds)).regressed


def test_rounds_that_contradict_each_other_prove_nothing() -> None:
    found = verdict("c", [0.1, 0.2, 0.2, 0.45, 0.5], Known(QUIET))
    assert found.share < found.least
    assert not found.regressed


def test_noise_widens_what_is_tolerated_up_to_the_cap() -> None:
    assert verdict("c", QUIET, Known(QUIET)).tolerance == regression.FLOOR
    assert verdict("c", NOISY, Known(QUIET)).tolerance == regression.CAP
    assert verdict("c", QUIET, Known(NOISY)).tolerance == regression.CAP


def test_a_verdict_says_what_was_compared() -> None:
    found = str(verdict("4 KB", [0.2, 0.2], Known([0.4, 0.4])))
    assert found == (
        "4 KB: 0.200 of direct, baseline 0.400, at least 0.300 (25% tolerated): REGRESSED"
    )


def _result() -> Result:
    case = Case(size=4096, kept=True, connections=20, workers=1, messages=1)
    series = {"direct": [10.0] * 4, "sendgate": [4.0, 5.0, 4.5, 1.0], BARE: [5.0] * 4}
    return Result(case, series, [0.1, 0.1, 0.1, 0.9])


def test_a_saved_baseline_judges_the_run_that_made_it(tmp_path: Path) -> None:
    file = tmp_path / "quick.json"
    machine = Machine(cores=2, cpu="any", python="CPython 3.11", pgo=None, revision="")
    regression.save(file, machine, [_result()])
    baseline = regression.load(file)
    assert baseline is not None
    found = regression.judge(_result(), baseline)
    assert found is not None
    assert found.share == found.baseline == pytest.approx(0.45)
    assert regression.judge(_result(), Baseline(machine, {})) is None


def test_busy_rounds_do_not_count() -> None:
    assert regression.calm(_result()) == ([0.4, 0.5, 0.45], False)


def test_a_busy_machine_proves_nothing() -> None:
    result = _result()
    result.others = [0.1, 0.1, 0.9, 0.9]
    machine = Machine(cores=2, cpu="any", python="CPython 3.11", pgo=None, revision="")
    found = regression.judge(result, Baseline(machine, {result.case.name: Known([4.0] * 3)}))
    assert found is not None
    assert found.low
    assert not found.regressed
    assert str(found).endswith("NOT JUDGED, others used the machine")


def test_no_file_is_no_baseline(tmp_path: Path) -> None:
    assert regression.load(tmp_path / "none.json") is None


def test_the_committed_baseline_has_every_quick_case() -> None:
    baseline = regression.load(regression.FILE)
    assert baseline is not None
    assert set(baseline.cases) == {case.name for case in quick_cases()}
    assert all(len(known.rounds) >= 3 for known in baseline.cases.values())
