"""Jobs, the audit log, the API and what-if at the console."""

import csv
import io

import pytest

from control.console.views.audit import changes
from control.console.views.plan import line
from control.parts import Parts
from control.store.change import Act
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import acting, joined

IP = "192.0.2.10"
HOSTILE = "<script>alert(1)</script>\u202egnp"


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An operator who is signed in, with a tenant and its IP."""
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": IP}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    return await signed_in(api, core, "anna", "operator")


async def signed_in(api: Api, core: Parts, name: str, role: str, *tenants: str) -> Browser:
    await joined(core, api, name, role, tenants or None)  # type: ignore[arg-type]
    browser = Browser(api)
    assert (await browser.sign_in(name)).status == 303
    return browser


async def test_a_job_is_run_now_and_says_how_it_went(anna: Browser, core: Parts) -> None:
    before = await anna.get("/jobs")
    assert before.status == 200
    assert "cleanup deletes what is older than it is kept" in before.words
    done = await anna.post("/jobs/cleanup", {"do": "run", "job": "cleanup", "reason": "a test"})
    assert (done.status, done.to) == (303, "/jobs/cleanup")
    page = await anna.get("/jobs/cleanup")
    assert "cleanup: done." in page.words
    assert "done anna 1" in page.words, "its run, and who asked"
    assert "No run of it is in this state." in (await anna.get("/jobs/cleanup?state=dead")).words
    row = await core.pool.fetchrow("SELECT who, reason FROM audit_log WHERE action = 'job.run'")
    assert tuple(row) == ("anna", "a test")
    assert (await anna.post("/jobs", {"do": "run", "job": "nothing"})).status == 404
    wrong = await anna.post("/jobs/cleanup", {"do": "run", "job": "cleanup", "due": "soon"})
    assert (wrong.status, 'value="soon"' in wrong.text) == (400, True)


async def test_a_run_that_was_given_up_stands_first_and_can_be_done_once_more(
    anna: Browser, core: Parts
) -> None:
    await core.pool.execute(
        "INSERT INTO job_run (name, due, state, attempts, node, started, until, said) "
        "VALUES ('cleanup', 86400000, 'dead', 12, 'here', 0, now(), $1)",
        HOSTILE,
    )
    page = await anna.get("/jobs")
    assert "given up cleanup , due 1970-01-02 00:00:00 UTC , after 12 attempts" in page.words
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    form = {"do": "run", "job": "cleanup", "due": "1970-01-02T00:00:00Z"}
    assert (await anna.post("/jobs", form)).status == 303
    assert "No run was given up." in (await anna.get("/jobs")).words


async def test_the_audit_log_is_searched_and_read_in_parts(
    anna: Browser, api: Api, core: Parts
) -> None:
    async def write(act: Act) -> None:
        for n in range(250):
            await act.audit("ip.set", f"192.0.2.{n}", {"quota": n}, {"quota": n + 1}, HOSTILE)

    await acting(core, write)
    first = await anna.get("/audit?action=ip.set")
    assert "100 changes, the newest first" in first.words
    assert "192.0.2.249 quota : 249 → 250" in first.words
    seen, at = set(), "/audit?action=ip.set"
    while at:
        page = await anna.get(at)
        seen |= {n for n in range(250) if f">192.0.2.{n}<" in page.text}
        at = page.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert len(seen) == 250
    assert "<script>alert" not in first.text
    assert "\u202e" not in first.text
    one = await anna.get("/audit?subject=192.0.2.7&who=command+line&kind=command")
    assert "1 change, the newest first" in one.words
    none = await anna.get("/audit?until=1999-01-01")
    assert "Nothing that matches." in none.words
    text = await anna.get("/audit?subject=192.0.2.7&text=%3Cscript")
    assert "quota : 7 → 8" in text.words
    assert 'href="/audit.csv?action=ip.set" download' in first.text
    file = await anna.get("/audit.csv?action=ip.set")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert file.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert len(list(csv.reader(io.StringIO(file.text)))) == 251
    assert (await anna.get("/audit.csv?since=yesterday")).status == 400
    viewer = await signed_in(api, core, "vic", "viewer")
    assert (await viewer.get("/audit.csv")).status == 403
    assert (await Browser(api).get("/audit.csv")).to.startswith("/sign-in")
    wrong = await anna.get("/audit?since=yesterday")
    assert (wrong.status, "since" in wrong.words) == (400, True)


async def test_a_tenants_user_reads_of_its_own_changes(
    anna: Browser, api: Api, core: Parts
) -> None:
    new = {"name": "globex", "login": "globex", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    olga = await signed_in(api, core, "olga", "operator", "acme")
    page = await olga.get("/audit")
    assert page.status == 200
    assert "acme" in page.words
    assert "globex" not in page.text
    assert 'name="source"' not in page.text, "addresses are for who sees all tenants"
    file = await olga.get("/audit.csv")
    assert ("acme" in file.text, "globex" in file.text) == (True, False)
    assert (await olga.get("/audit?source=127.0.0.1")).status == 400


def test_changes_field_by_field() -> None:
    assert changes({"a": 1, "b": 2}, {"b": 3, "c": None}) == [
        *(("a", 1, None), ("b", 2, 3), ("c", None, None)),
    ]
    assert changes(None, None) == []
    assert changes(None, "x") == [("", None, "x")]


async def test_the_api_page_has_what_one_may_ask(anna: Browser, api: Api, core: Parts) -> None:
    page = await anna.get("/programs")
    assert page.status == 200
    for path in ("/api/docs", "/api/openapi.json", "/api/problems"):
        assert f'href="{path}"' in page.text
        async with api.session.get(api.url + path) as answer:
            assert answer.status == 200, path
    assert "POST /api/v2/domains " in page.words
    assert "POST /api/v2/tenants " not in page.words, "that is for admins"
    assert "An admin makes it" in page.words
    olga = await signed_in(api, core, "olga", "viewer", "acme")
    page = await olga.get("/programs")
    assert "GET /api/v2/hold " in page.words
    for closed in ("POST /api/v2/domains", "GET /api/v2/jobs", "/api/v2/tokens"):
        assert closed not in page.words
    admin = await signed_in(api, core, "ben", "admin")
    page = await admin.get("/programs")
    assert 'href="/tokens"' in page.text
    assert "POST /api/v2/tenants " in page.words


async def test_what_if_is_played_forward_and_drawn(anna: Browser, core: Parts) -> None:
    before = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    page = await anna.get(f"/ips/{IP}/plan?days=60&a_day=100000")
    assert page.status == 200
    assert page.text.count("<polyline") == 2
    points = page.text.partition('class="line" points="')[2].partition('"')[0].split()
    assert len(points) == 60
    assert page.text.count('<th scope="row">20') == 60, "the same as a table"
    assert "advance" in page.words
    assert f'href="/ips/{IP}/plan"' in (await anna.get(f"/ips/{IP}")).text
    bad = await anna.get(f"/ips/{IP}/plan?bounces=30")
    assert "Paused never" not in bad.words
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == before, "a question"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("days=0", "days"),
        ("days=many", "days"),
        ("bounces=101", "bounces"),
        ("a_day=-1", "a_day"),
        ("plan=none", "plan"),
        ("bounces=nan", "bounces"),
    ],
)
async def test_what_cannot_be_assumed_is_said_beside_its_field(
    anna: Browser, query: str, field: str
) -> None:
    page = await anna.get(f"/ips/{IP}/plan?{query}")
    assert f'id="{field}-said"' in page.text
    assert 'aria-invalid="true"' in page.text
    assert "<polyline" not in page.text
    assert f'value="{query.partition("=")[2]}"' in page.text, "what was typed stays"


def test_a_line_is_as_high_as_its_most() -> None:
    assert line([0, 5, 10], 10) == "0,100.00 1,50.00 2,0.00"
    assert line([0, 0], 0) == ""
