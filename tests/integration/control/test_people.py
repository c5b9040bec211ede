"""People: added, invited, changed and taken away, and what each of that does to who is signed
in."""

import base64
import datetime
import email
import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.parts import Parts
from control.users.totp import STEP, code_at
from tests.support.control.core import Api, Command
from tests.support.control.letters import mail_server
from tests.support.control.people import PASSWORD, invited, joined, login, me, signed_in

NEW = "another pass phrase"


async def test_a_user_from_add_to_remove(
    api: Api, core: Parts, sendgate: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no tenant" not in await sendgate("user", "add", "anna@example.com", "--dry-run")
    assert msgspec.json.decode(await sendgate("user", "list", "--json")) == []
    said = msgspec.json.decode(
        await sendgate("user", "add", "anna@example.com", "--role", "admin", "--json")
    )
    assert (said["user"]["mail"], said["user"]["tenants"]) == ("anna@example.com", None)
    body = {"link": said["link"], "password": PASSWORD}
    assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 200
    assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 401, "it is good once"
    tokens = await signed_in(api, "anna@example.com")
    assert (await api("GET", "/api/v1/auth/me", token=tokens["access_token"]))[1] == {
        "name": "anna@example.com",
        "kind": "user",
        "role": "admin",
        "tenants": None,
    }
    shown = await sendgate("user", "show", "anna@example.com")
    assert "admin of all tenants, active" in shown
    for words in (("set", "--role", "viewer"), ("disable",), ("remove",)):
        refused = await sendgate("user", words[0], "anna@example.com", *words[1:], code=1)
        assert "last admin" in refused, words
    await sendgate("user", "add", "ben", "--role", "admin")
    # At once, and not with the next token.
    await sendgate("user", "set", "anna@example.com", "--role", "viewer")
    status, refused = await api("POST", "/api/v2/ledger", {}, token=tokens["access_token"])
    assert (status, refused["detail"]) == (  # type: ignore[index]
        403,
        "user anna@example.com has the role viewer: this needs admin",
    )
    await sendgate("user", "disable", "anna@example.com", "--reason", "left us")
    assert await me(api, tokens) == 401
    assert (await login(api, "anna@example.com"))[0] == 401
    await sendgate("user", "enable", "anna@example.com")
    assert await me(api, tokens) == 401, "a session that ended goes on no more"
    await signed_in(api, "anna@example.com")
    listed = await sendgate("user", "list")
    assert all(word in listed for word in ("anna@example", "viewer", "ben", "invited"))
    await sendgate("user", "remove", "anna@example.com")
    assert (await login(api, "anna@example.com"))[0] == 401
    await sendgate("user", "set", "nobody", "--role", "viewer", code=1)
    rows = await core.pool.fetch("SELECT action, who, reason FROM audit_log ORDER BY id")
    did = [row["action"] for row in rows if row["action"].startswith("user.")]
    assert did == [
        *("user.add", "user.link", "user.add", "user.set"),
        *("user.disable", "user.enable", "user.remove"),
    ]
    assert ("user.disable", "command line", "left us") in [tuple(row) for row in rows]


async def test_what_is_wrong_with_a_user_is_named(sendgate: Command) -> None:
    for words, says in (
        (("add", "Anna"), "name: expected an e-mail address in lower case"),
        (("add", "anna", "--mail", "no address"), "mail: expected an address"),
        (("add", "anna", "--role", "king"), "--role"),
        (("set", "anna"), "nothing to change"),
        (("set", "anna", "--tenant", "a", "--all-tenants"), "contradict"),
    ):
        assert says in await sendgate("user", *words, code=2), words
    assert "does not exist" in await sendgate("user", "add", "anna", "--tenant", "x", code=1)
    await sendgate("user", "add", "anna")
    assert "exists already" in await sendgate("user", "add", "anna", code=1)


async def test_a_reset_ends_sessions_and_the_password(
    api: Api, core: Parts, sendgate: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await joined(core, api, "anna")
    said = msgspec.json.decode(await sendgate("user", "reset", "anna", "--json"))
    assert await me(api, tokens) == 401
    assert (await login(api, "anna"))[0] == 401
    for password in ("short", "anna", "line\nbreak in it"):
        body = {"link": said["link"], "password": password}
        assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 400, password
    monkeypatch.setattr("sys.stdin", _Lines(NEW))
    accepted = await sendgate("user", "accept", said["link"], "--password-stdin")
    assert "anna has this password" in accepted
    await signed_in(api, "anna", NEW)


class _Lines:
    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)

    def readline(self) -> str:
        return self._lines.pop(0) + "\n"


async def test_a_link_need_not_stand_on_a_command_line(
    api: Api, core: Parts, sendgate: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await joined(core, api, "anna")
    file, asked = tmp_path / "link", ["--link-stdin"]
    for number in range(3):
        said = msgspec.json.decode(await sendgate("user", "reset", "anna", "--json"))
        lines = (
            [said["link"], f"{NEW}{number}"] if asked == ["--link-stdin"] else [f"{NEW}{number}"]
        )
        file.write_text(f"{said['link']}\n")
        monkeypatch.setattr("sys.stdin", _Lines(*lines))
        monkeypatch.setattr("getpass.getpass", lambda prompt, link=said["link"]: link)
        words = ("user", "accept", *asked, "--password-stdin")
        assert "anna has this password" in await sendgate(*words)
        await signed_in(api, "anna", f"{NEW}{number}")
        asked = ["--link-file", str(file)] if number == 0 else []
    used = ("user", "accept", said["link"], "--password-stdin")
    monkeypatch.setattr("sys.stdin", _Lines(NEW))
    refused = await sendgate(*used, code=1)
    assert "link: this link was used, or is too old" in refused
    assert "SENDGATE_TOKEN" not in refused
    two = ("user", "accept", "sgl_x", "--link-stdin", "--password-stdin")
    assert "give the link once" in await sendgate(*two, code=2)
    gone = ("user", "accept", "--link-file", str(tmp_path / "none"), "--password-stdin")
    assert "cannot read" in await sendgate(*gone, code=1)


async def test_a_body_that_is_missing_is_said_to_be(api: Api, core: Parts) -> None:
    tokens = await joined(core, api, "anna")
    status, refused = await api("POST", "/api/v1/auth/logout", token=tokens["access_token"])
    assert status == 400
    wanted = "there is no body: a JSON object is wanted, with refresh_token"
    assert refused["detail"] == wanted  # type: ignore[index]


async def test_a_link_is_good_for_a_while(api: Api, core: Parts) -> None:
    secret = await invited(core, "anna")
    await core.pool.execute("UPDATE person_link SET expires = now() - interval '1 second'")
    body = {"link": secret, "password": PASSWORD}
    status, answer = await api("POST", "/api/v1/auth/link", body, token="")
    assert (status, "too old" in str(answer)) == (401, True)


async def test_a_password_is_changed_by_who_knows_it_and_ends_other_sessions(
    api: Api, core: Parts
) -> None:
    mine, other = await joined(core, api, "anna"), await signed_in(api, "anna")
    path, token = "/api/v1/auth/password", mine["access_token"]
    status, _ = await api("POST", path, {"password": "wrong", "new": NEW}, token=token)
    assert status == 401
    status, wrong = await api("POST", path, {"password": PASSWORD, "new": "short"}, token=token)
    assert (status, wrong["errors"][0]["field"]) == (400, "new")  # type: ignore[index]
    assert (await api("POST", path, {"password": PASSWORD, "new": NEW}, token=token))[0] == 200
    assert [await me(api, one) for one in (mine, other)] == [200, 401]
    await signed_in(api, "anna", NEW)


async def _codes(core: Parts, api: Api, name: str) -> tuple[bytes, list[str], str]:
    """(secret, the codes it keeps, its access token)."""
    token = (await joined(core, api, name))["access_token"]
    _, offered = await api("POST", "/api/v1/auth/codes", {"password": PASSWORD}, token=token)
    assert isinstance(offered, dict)
    secret = base64.b32decode(offered["secret"])
    assert offered["uri"].startswith(f"otpauth://totp/Sendgate:{name}?secret=")
    assert (await login(api, name))[0] == 200, "not before the first of them was given"
    first = {"code": code_at(secret, _step())}
    status, kept = await api("POST", "/api/v1/auth/codes/confirm", first, token=token)
    assert status == 200, kept
    return secret, kept["recovery"], token  # type: ignore[index,return-value]


def _step() -> int:
    return int(datetime.datetime.now(datetime.UTC).timestamp()) // STEP


async def test_codes_are_wanted_once_they_are_on_and_each_is_good_once(
    api: Api, core: Parts, sendgate: Command
) -> None:
    secret, kept, token = await _codes(core, api, "anna")
    status, answer = await login(api, "anna")
    assert (status, answer["errors"][0]["field"]) == (401, "code")
    # The one that confirmed was used; the next step's is within what clocks may differ.
    step = await core.pool.fetchval("SELECT totp_step FROM person")
    assert (await login(api, "anna", code=code_at(secret, step)))[0] == 401
    assert (await login(api, "anna", code=code_at(secret, step + 1)))[0] == 200
    assert (await login(api, "anna", code=code_at(secret, step + 1)))[0] == 401
    assert len(set(kept)) == 10
    spelt = kept[0].lower().replace("-", " ")
    assert [(await login(api, "anna", code=one))[0] for one in (spelt, spelt)] == [200, 401]
    stored = str(await core.pool.fetch("SELECT p::text FROM person p"))
    assert secret.hex() not in stored
    off: dict[str, Any] = {"password": PASSWORD, "code": "000000"}
    assert (await api("POST", "/api/v1/auth/codes/off", off, token=token))[0] == 401
    off["code"] = kept[1]
    assert (await api("POST", "/api/v1/auth/codes/off", off, token=token))[0] == 200
    assert (await login(api, "anna"))[0] == 200


async def test_a_reset_on_the_host_takes_codes_off_where_it_is_asked_to(
    api: Api, core: Parts, sendgate: Command
) -> None:
    await _codes(core, api, "anna")
    for words, wanted in (((), 401), (("--codes",), 200)):
        made = msgspec.json.decode(await sendgate("user", "reset", "anna", *words, "--json"))
        body = {"link": made["link"], "password": PASSWORD}
        assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 200
        assert (await login(api, "anna"))[0] == wanted, "mail alone is not both proofs"


async def test_a_token_is_nobodys_password(api: Api) -> None:
    status, found = await api("GET", "/api/v1/auth/me")
    assert (status, found["kind"], found["role"]) == (200, "token", "admin")  # type: ignore[index]
    body = {"password": PASSWORD, "new": NEW}
    status, answer = await api("POST", "/api/v1/auth/password", body)
    assert (status, answer["detail"]) == (409, "token test has no password: people have")  # type: ignore[index]


async def test_links_are_mailed_where_alerts_are(
    api: Api, sendgate: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, port, letters = await mail_server()
    for name, value in (("SERVER", f"127.0.0.1:{port}"), ("TLS", "none"), ("FROM", "s@x.example")):
        monkeypatch.setenv(f"SENDGATE_ALERTS_MAIL_{name}", value)
    monkeypatch.setenv("SENDGATE_ALERTS_MAIL_TO", "ops@x.example")
    monkeypatch.setenv("SENDGATE_PEOPLE_URL", "https://control.example")
    try:
        said = await sendgate("user", "add", "anna@x.example")
        assert "mailed to anna@x.example" in said
        assert "https://control.example/api/v1/auth/link#sgl_" in said
        assert "mailed" not in await sendgate("user", "add", "ben"), "no address"
    finally:
        server.close()
    (letter,) = letters
    assert letter.rcpt_tos == ["anna@x.example"]
    # Whatever its encoding: the whole link, in one piece.
    text = email.message_from_bytes(letter.content).get_payload(decode=True)
    [link] = re.findall(rb"https://control.example/\S+", text)  # type: ignore[arg-type]
    body = {"link": link.decode(), "password": PASSWORD}
    assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 200
    await server.wait_closed()
    said = await sendgate("user", "reset", "anna@x.example")
    assert "not mailed to anna@x.example (the mail server:" in said
    assert "hand it over yourself" in said


async def test_a_link_opens_a_page_that_runs_nothing_but_its_own(api: Api) -> None:
    async with api.session.get(f"{api.url}/api/v1/auth/link") as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, where in (("script", "script-src"), ("style", "style-src")):
        [text] = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{where} 'sha256-{digest}'" in policy


async def test_a_key_is_replaced_by_hand(api: Api, core: Parts, sendgate: Command) -> None:
    tokens = await joined(core, api, "anna")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENDGATE_CONTROL_SECRET", core.settings.control.secret)
        await sendgate("user", "new-key", "--dry-run")
        assert await core.pool.fetchval("SELECT count(*) FROM signing_key") == 1
        await sendgate("user", "new-key")
        assert await me(api, tokens) == 200, "the former one is good for what it signed"
        await sendgate("user", "new-key", "--at-once")
        assert await me(api, tokens) == 401
    body = {"refresh_token": tokens["refresh_token"]}
    status, found = await api("POST", "/api/v1/auth/refresh", body, token="")
    assert (status, await me(api, found)) == (200, 200)  # type: ignore[arg-type]
