"""The page of suppressions: found by filters, added, removed with a reason, taken in as a list."""

import pytest

from control.console.views import suppressions
from control.console.views.suppressions import read
from control.parts import Parts
from control.problem import RefusedError
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import joined

AT = "/suppressions"
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An operator, with a tenant."""
    await joined(core, api, "anna", "operator")
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def active(core: Parts) -> list[tuple[str, str]]:
    """(tenant, address) of those that count."""
    rows = await core.pool.fetch(
        "SELECT tenant, address FROM suppression WHERE removed IS NULL ORDER BY address"
    )
    return [(row["tenant"], row["address"]) for row in rows]


async def test_one_is_added_and_removed_only_once_it_was_shown(anna: Browser, core: Parts) -> None:
    form = {"do": "add", "address": "You@Gmail.com", "tenant": "acme", "reason": "complaint"}
    form |= {"note": f"she wrote {HOSTILE}"}
    tried = await anna.post(AT, form)
    assert "would get no mail of tenant acme" in tried.words
    assert await active(core) == []
    assert (await anna.post(AT, form | {"sure": "1"})).status == 303
    [(tenant, address)] = await active(core)
    assert tenant == "acme"
    seen = await anna.get(AT)
    assert "she wrote <script>alert(1)</script>\\u202e" in seen.words
    assert "<script>alert" not in seen.text
    assert "hand anna" in seen.words
    form = {"do": "remove", "address": address, "tenant": "acme"}
    assert "say why" in (await anna.post(AT, form | {"sure": "1"})).words
    assert len(await active(core)) == 1
    form["reason"] = "she asked us to"
    assert "would get mail of tenant acme again" in (await anna.post(AT, form)).words
    assert len(await active(core)) == 1
    assert (await anna.post(AT, form | {"sure": "1"})).status == 303
    assert await active(core) == []
    row = await core.pool.fetchrow("SELECT reason FROM audit_log ORDER BY id DESC LIMIT 1")
    assert row["reason"] == "she asked us to"
    assert "removed" in (await anna.get(f"{AT}?ended=1")).words


async def test_what_filters_match_is_shown(anna: Browser, api: Api) -> None:
    for address, reason in (("a@x.example", "bounce"), ("b@x.example", "complaint")):
        body = {"address": address, "tenant": "acme", "reason": reason}
        assert (await api("POST", "/api/v2/suppressions", body))[0] == 200
    body = {"address": "c@x.example"}
    assert (await api("POST", "/api/v2/suppressions", body))[0] == 200

    async def found(query: str) -> str:
        words = (await anna.get(f"{AT}?{query}")).words
        return "".join(name for name in "abc" if f"{name}@x.example" in words)

    assert await found("") == "abc"
    assert await found("reason=bounce") == "a"
    assert await found("everybody=1") == "c"
    assert await found("tenant=acme&reason=complaint") == "b"
    assert await found("origin=rule") == ""
    assert await found("address=A@X.example") in ("", "a")


async def test_a_list_is_taken_in_once_it_was_shown(anna: Browser, core: Parts) -> None:
    rows = "a@x.example,hard bounce,,old list\r\nnonsense\r\n\r\nb@x.example\r\n"
    form = {"do": "import", "tenant": "acme", "list": rows}
    tried = await anna.post(AT, form)
    assert "Of 3 rows 2 would be added" in tried.words
    assert "1 cannot be taken" in tried.words
    assert "row 2:" in tried.words
    assert await active(core) == []
    assert (await anna.post(AT, form | {"sure": "1"})).status == 303
    assert await active(core) == [("acme", "a@x.example"), ("acme", "b@x.example")]
    again = await anna.post(AT, form | {"sure": "1"})
    assert again.status == 303
    assert "2 are there already" in (await anna.get(AT)).words


def test_lists_are_read_with_a_header_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("a@b.example") == [{"address": "a@b.example"}]
    assert read("Email,note\na@b.example,x") == [{"address": "a@b.example", "note": "x"}]
    assert read("reason,address\nspam,a@b.example,more") == [
        {"reason": "spam", "address": "a@b.example"}
    ]
    for text in ("", "  \n "):
        with pytest.raises(RefusedError):
            read(text)
    monkeypatch.setattr(suppressions, "AT_ONCE", 2)
    with pytest.raises(RefusedError) as refused:
        read("a@b.example\nb@b.example\nc@b.example")
    assert "in parts" in refused.value.errors[0].detail
