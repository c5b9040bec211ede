"""What measures the console asks for every page there is, each at a path that is there."""

from control.console.views.pages import PAGES
from tests.bench.console import BESIDE, asked


def test_every_page_of_the_table_is_asked_for_with_its_names_filled_in() -> None:
    paths = asked("pmta1")
    assert [path for path in paths if "{" in path] == []
    assert len(paths) == len(set(paths)) == 1 + len(PAGES) + sum(map(len, BESIDE.values()))
    assert set(BESIDE) <= {page.path for page in PAGES}
