"""The report: nothing is asked of anybody, every text is escaped, every figure is there."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec

from loadtest.benchmark.machine import Machine
from loadtest.laboratory import plots
from loadtest.laboratory.figures import Day, Failing, Figures, Spread
from loadtest.laboratory.invariants import Invariant
from loadtest.laboratory.reading import load
from loadtest.laboratory.report import report
from loadtest.laboratory.result import Curve, Result, Sample

EVIL = "<script src='https://evil.example'>&\""
SPREAD = Spread(0.001, 0.002, 0.0301, 0.04, 0.5)


def result(curves: int = 3) -> Result:
    scenario = msgspec.structs.replace(load("ci"), name=EVIL)
    return Result(
        scenario=scenario,
        machine=Machine(cores=2, cpu=EVIL, python="CPython 3.11", pgo=None, revision=EVIL),
        started="2026-11-29T22:00:00+00:00",
        setup_seconds=12.0,
        run_seconds=34.0,
        ok=False,
        invariants=[
            Invariant("once", "nothing twice", True, 1_234_567, 0, []),
            Invariant("nothing_lost", "nothing lost", False, 10, 2, [EVIL]),
            Invariant("global_hour", "no more than the limit", True, 0, 0, []),
        ],
        broken=["nothing_lost"],
        figures=Figures(
            *(1_000, 990, 5, 4, 1, 900, 90, 20, 0),
            days=[Day(1, 1_000, 900, 2_000, 100, 97, 9, 2, 0.98765)],
            completion=0.9731,
            farthest=2,
            failures=0.0242,
            worst=[Failing(EVIL, 10, 3)],
            streaks={0: 3, 1: 97},
            answer=SPREAD,
        ),
        samples=[
            Sample(1, n, 1.0 * n, 10 * n, 9 * n, n, {"worker 0": 2**20 * (50 + n), EVIL: 1}, 100.0)
            for n in range(4)
        ],
        curves=[Curve(f"198.18.0.{n}", EVIL, 50, [[10, 20, n]]) for n in range(curves)],
        memory={"worker 0": 53 * 2**20, EVIL: 2**20},
        processor={"worker 0": 12.34},
        api={"/api/v2/quota": SPREAD},
        paused=[],
        trouble=[EVIL],
    )


class Tags(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_nothing_is_asked_of_anybody_and_no_text_becomes_a_tag() -> None:
    page = report(result())
    found = Tags(page)
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(found.tags)
    assert not {"src", "href", "xlink:href", "onload"} & {name for name, _ in found.attributes}
    assert "url(" not in page
    assert "@import" not in page
    assert "".join(found.text).count(EVIL) >= 6
    assert "default-src 'none'" in page


def test_every_figure_is_there() -> None:
    text = "\n".join(Tags(report(result())).text)
    for wanted in (
        *("Broken: nothing_lost.", "97.31%", "2.42%", "0.9877", "1,234,567", "BROKEN 2 times"),
        *("30.1", "500.0", "GET /api/v2/quota", "53.0", "12.3", "30.0%", "198.18.0.1"),
    ):
        assert wanted in text, wanted
    # A limit that nobody has is not shown as if it had held.
    assert text.count("nothing to look at") == 1


def test_of_many_ips_the_fullest_and_the_emptiest_are_drawn() -> None:
    page = report(result(curves=100))
    assert page.count("198.18.0.99 of") >= 1
    assert page.count("198.18.0.0 of") >= 1
    assert "198.18.0.50 of" not in page
    assert "52 IPs between those are not drawn." in page


def test_a_plot_is_well_formed_and_inside_its_frame() -> None:
    series = {EVIL: [(0.0, 0.0), (5.0, 80.0)], "empty": []}
    for plot in (
        plots.lines(EVIL, series, across=EVIL, up=EVIL, limit=100, legend=False),
        plots.bars(EVIL, {EVIL: 3.0, "b": 0.0}, across="x", up="y"),
        plots.lines("none", {}, across="x", up="y", legend=False),
    ):
        root = ElementTree.fromstring(plot)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        for path in root.iter("path"):
            pairs = re.findall(r"[ML](-?[0-9.]+) (-?[0-9.]+)", path.attrib["d"])
            assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in pairs)
    (line,) = [
        p
        for p in ElementTree.fromstring(
            plots.lines("t", series, across="", up="", limit=100, legend=False)
        ).iter("path")
        if p.attrib.get("stroke-width")
    ]
    # 80 of 105, for the limit is at 100.
    assert line.attrib["d"].endswith(" 54.4")
