"""PowerMTA's configuration looked at, brought into force by hand and taken back; files that were
changed by hand."""

import asyncio
import re
from typing import Any

import msgspec
import pytest

from control.parts import Parts
from control.plan.applying import Applying
from control.plan.brought import Apply
from control.problem import RefusedError
from tests.support.control.core import TOKEN, Api, Command
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import (
    add,
    api,
    core,
    host,
    settings,
    standing,
    token,
    until_right,
    versions,
)

__all__ = ["api", "core", "host", "settings", "token"]

PATH = "/api/v2/powermta"


@pytest.fixture
async def filled(api: Api, host: Host) -> Api:
    """With an IP of acme's, which pmta1 runs."""
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    return api


@pytest.fixture
async def second(filled: Api, core: Parts, token: str) -> Any:
    """pmta2's."""
    body = {"name": "pmta2", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await filled("POST", "/api/v2/servers", body))[0] == 200
    made = Host(filled, token, "pmta2")
    await made.say()
    await core.publisher.reconcile()
    made.start()
    await until_right(filled, "pmta2")
    yield made
    await made.stop()


@pytest.fixture
def command(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    return Command(api, capsys)


def another(core: Parts, complaints: str = "fbl@fbl.example") -> None:
    """Settings that make another configuration of the same plan, as after a restart with them."""
    compiler = core.publisher._compiler
    control = msgspec.structs.replace(compiler._settings.control, pmta_complaints=(complaints,))
    compiler._settings = msgspec.structs.replace(compiler._settings, control=control)


async def test_the_plans_configuration_is_brought_into_force(
    filled: Api, core: Parts, host: Host, command: Command
) -> None:
    said = await command("pmta", "apply")
    assert "pmta1: runs already version 2" in said
    another(core)
    dry = await command("pmta", "apply", "--dry-run")
    assert "pmta1: a new version would be offered" in dry
    assert "+<feedback-loop-processor>" in dry
    assert (await standing(filled))["running"] == 2
    said = await command("pmta", "apply", "--reason", "loops")
    assert "pmta1: runs version 3" in said
    assert re.search(r"pmta1 +│ running +│ 3 +│ 3 ", said)
    assert host.running is not None
    assert any("feedback-loop" in text for text in host.running.files.values())
    newest = (await versions(filled))[0]
    assert (newest["why"], newest["who"], newest["running"]) == ("loops", "test", True)
    row = await core.pool.fetchrow("SELECT * FROM audit_log WHERE action = 'pmta.apply'")
    assert (row["subject"], row["reason"]) == ("pmta1", "loops")


async def test_what_is_not_taken_by_hand_leaves_the_version_before(
    filled: Api, core: Parts, host: Host, command: Command
) -> None:
    another(core)
    host.problem = ("test", "Error in line 7: no")
    said = await command("pmta", "apply", code=1)
    assert "pmta1 did not take version 3 (`pmta test config`): Error in line 7: no" in said
    listed = await command("pmta", "versions")
    assert re.search(r"│ 3 +│ pmta1 +│ no +│ no +│ - +│.*withdrawn: pmta1 did not take", listed)
    one = await standing(filled)
    assert (one["desired"], one["right"]) == (2, False)
    assert any(
        "was not taken" in text and "Error in line 7: no" in text for text in one["troubles"]
    )
    # Nobody offers it again by himself.
    offers = len(host.offers)
    assert await core.publisher.reconcile() is None
    await asyncio.sleep(0.1)
    assert len(host.offers) - offers <= 1
    assert (await standing(filled))["desired"] == 2
    host.problem = None
    assert "pmta1: runs version" in await command("pmta", "apply")
    await until_right(filled)


async def test_the_canary_stops_the_others(
    filled: Api, core: Parts, host: Host, second: Host
) -> None:
    another(core)
    host.problem = ("reload", "reload refused")
    offers = len(second.offers)
    status, refused = await filled("POST", f"{PATH}/apply", {})
    assert status == 409
    assert "pmta1 did not take version" in refused["detail"]  # type: ignore[index]
    assert len(second.offers) == offers
    host.problem = None
    status, brought = await filled("POST", f"{PATH}/apply", {})
    assert status == 200, brought
    assert [one["server"] for one in brought["servers"]] == ["pmta1", "pmta2"]  # type: ignore[index]
    await until_right(filled)
    await until_right(filled, "pmta2")
    limit = msgspec.structs.replace(core.settings.control, pmta_canary="pmta2")
    order = await Applying(core.pool, core.publisher, limit).apply("test", Apply(), dry=True)
    assert [one.server for one in order.servers] == ["pmta2", "pmta1"]
    limit = msgspec.structs.replace(limit, pmta_canary="gone")
    with pytest.raises(RefusedError, match=r"control\.pmta_canary"):
        await Applying(core.pool, core.publisher, limit).apply("test", Apply())


async def test_an_older_version_is_brought_back(
    filled: Api, core: Parts, host: Host, command: Command
) -> None:
    another(core)
    await command("pmta", "apply")
    dry = await command("pmta", "rollback", "2", "--dry-run")
    assert "-<feedback-loop-processor>" in dry
    said = await command("pmta", "rollback", "2", "--reason", "loops are wrong")
    assert "pmta1: runs version 2" in said
    assert "note: it stays so until `sendgate pmta apply`" in said
    assert "put back to version 2 by test" in await command("pmta", "versions")
    assert "put back to version 2 by test" in await command("pmta", "status", code=1)
    assert host.running is not None
    assert host.running.version == 2
    one = await standing(filled)
    assert any("put back to version 2 by test" in text for text in one["troubles"])
    _, status = await filled("GET", "/api/v2/status")
    assert "loops are wrong" in str(status)
    # It stays so, also while nothing that PowerMTA must know is changed.
    for state in ("pause", "resume"):
        assert (await filled("PATCH", "/api/v2/ips/192.0.2.10", {"state": state}))[0] == 200
    assert await core.publisher.reconcile() is None
    assert (await standing(filled))["running"] == 2
    assert "note: this would end a rollback: pmta1 was put back to version 2 by test" in (
        await command("pmta", "apply", "--dry-run")
    )
    said = await command("pmta", "apply")
    assert "note: this ends a rollback: pmta1 was put back" in said
    await until_right(filled)
    assert any("feedback-loop" in text for text in host.running.files.values())
    await command("pmta", "status")


async def test_a_version_that_lacks_what_gateways_name_is_refused(
    filled: Api, host: Host, command: Command
) -> None:
    said = await command("pmta", "rollback", "1", code=1)
    assert "1 VirtualMTA (vmta-192-0-2-10) that gateways name" in said
    said = await command("pmta", "rollback", "99", code=1)
    assert "does not exist" in said
    assert "offered" not in said
    status, refused = await filled("POST", f"{PATH}/rollback", {"server": "pmta1", "version": 1})
    assert status == 409
    assert "1 VirtualMTA (vmta-192-0-2-10) that gateways name" in refused["detail"]  # type: ignore[index]
    assert (await filled("POST", f"{PATH}/rollback", {"server": "pmta1", "version": 99}))[0] == 404
    assert host.running is not None
    assert host.running.version == 2


async def test_keys_of_a_domain_that_went_come_back_with_its_version(
    filled: Api, core: Parts, host: Host, command: Command
) -> None:
    assert (await add(filled, "192.0.2.10", "two.example", quota=None))[0] == 201
    assert (await filled("DELETE", "/api/v2/domains/two.example?reason=x"))[0] == 200
    await until_right(filled)
    assert host.running is not None
    assert not any("two.example" in name for name in host.running.keys)
    await command("pmta", "rollback", "3")
    assert any("two.example" in name for name in host.running.keys)


async def test_mail_that_an_older_version_does_not_sign_is_told_before_and_after(
    filled: Api, host: Host, command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await add(filled, "192.0.2.10", "two.example", quota=None))[0] == 201
    await until_right(filled)
    note = "mail of 1 domain (two.example) is not signed (DKIM) while version 2 is in force"
    body = {"server": "pmta1", "version": 2}
    status, dry = await filled("POST", f"{PATH}/rollback?dry_run=1", body)
    assert (status, [note in text for text in dry["notes"]]) == (200, [False, True])
    assert note in await command("pmta", "rollback", "2", "--dry-run")
    assert note not in caplog.text
    said = await command("pmta", "rollback", "2")
    before, _, after = said.partition("offered version 2, waiting")
    assert note in before
    assert note in after
    assert f"pmta1 is put back to version 2: {note}" in caplog.text
    assert f"pmta1 runs version 2: {note}" in caplog.text
    assert any(note in text for text in (await standing(filled))["troubles"])
    status, again = await filled("POST", f"{PATH}/rollback", body)
    assert (status, note in again["notes"][1]) == (200, True)
    assert note in await command("pmta", "rollback", "2", "--json")
    # Back at the plan nothing is to be told.
    await command("pmta", "apply")
    assert not (await standing(filled))["troubles"]
    newest = str((await versions(filled))[0]["version"])
    assert "signed" not in await command("pmta", "rollback", newest, "--dry-run")


async def test_a_domains_key_is_waited_for_where_a_version_was_not_taken(
    filled: Api, core: Parts, host: Host, command: Command
) -> None:
    another(core)
    host.problem = ("test", "no")
    await command("pmta", "apply", code=1)
    await core.publisher.reconcile()
    status, refused = await add(filled, "192.0.2.10", "two.example", quota=None)
    assert (status, "did not take version" in refused["detail"]) == (409, True)
    host.problem = None
    assert (await add(filled, "192.0.2.10", "two.example", quota=None))[0] == 201
    assert (await versions(filled))[0]["why"] == "new: the key of two.example"


async def test_files_changed_by_hand_are_told_and_written_over_only_when_asked(
    filled: Api, core: Parts, host: Host, command: Command
) -> None:
    await host.stop()
    host.changed = True
    await host.say(state="changed", drift=["sendgate.conf was changed by hand"], digest="x")
    one = await standing(filled)
    assert (one["state"], one["right"]) == ("changed", False)
    assert "sendgate.conf was changed by hand" in await command("pmta", "status", code=1)
    _, status = await filled("GET", "/api/v2/status")
    assert "`sendgate pmta apply --overwrite` does" in str(status)
    host.start()
    status_, refused = await add(filled, "192.0.2.11", "two.example")
    assert (status_, "changed by hand" in refused["detail"]) == (409, True)
    said = await command("pmta", "apply", "--dry-run")
    assert "pmta1: sendgate.conf was changed by hand: stays" in said
    assert "nothing would be done while files are changed by hand: --overwrite" in said
    await command("pmta", "apply", code=1)
    said = await command("pmta", "apply", "--overwrite", "--dry-run")
    assert "pmta1: sendgate.conf was changed by hand: would be written over" in said
    assert "nothing would be done" not in said
    assert host.changed
    said = await command("pmta", "apply", "--server", "pmta1", "--overwrite")
    assert "pmta1: runs version 2" in said
    assert not host.changed
    await until_right(filled)
    # Once, and not for whatever comes later, or is put back.
    host.problem = ("test", "no")
    offers = len(host.offers)
    assert (await add(filled, "192.0.2.11", "two.example"))[0] == 409
    host.problem = None
    await until_right(filled)
    assert (await add(filled, "192.0.2.11", "two.example"))[0] == 201
    assert {offer.overwrite for offer in host.offers[offers:]} == {False}


async def test_the_configuration_is_shown_whole_by_file_and_by_tenant(
    filled: Api, host: Host, command: Command
) -> None:
    assert host.running is not None
    whole = await command("pmta", "config", "--server", "pmta1")
    assert "<virtual-mta vmta-192-0-2-10>" in whole
    for name, text in host.running.files.items():
        assert (await filled("GET", f"{PATH}/config?server=pmta1&file={name}"))[1] == text
    assert (await filled("GET", f"{PATH}/config?server=pmta1&file=no.conf"))[0] == 404
    names = ", ".join(host.running.files)
    said = await command("pmta", "config", "--server", "pmta1", "--file", "no.conf", code=1)
    assert f"there is no file 'no.conf', there are {names}" in said
    assert whole.count("change the plan with `sendgate`") == 1, "one header says it for all files"
    assert (await filled("GET", f"{PATH}/config?server=nobody"))[0] == 404
    of_acme = await command("pmta", "config", "--tenant", "acme")
    assert "<virtual-mta vmta-192-0-2-10>" in of_acme
    assert "acct-file" not in of_acme
    new = {"name": "globex", "login": "globex", "password": "correct horse"}
    assert (await filled("POST", "/api/v2/tenants", new))[0] == 201
    assert (await filled("GET", f"{PATH}/config?tenant=globex"))[1] == ""
    assert (await filled("GET", f"{PATH}/config?tenant=acme&file=system.conf"))[0] == 400
    assert (await filled("GET", f"{PATH}/config?tenant=nobody"))[0] == 404
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with filled.session.get(f"{filled.url}{PATH}/config", headers=headers) as response:
        tag = response.headers["ETag"]
        assert response.status == 200
    headers["If-None-Match"] = tag
    async with filled.session.get(f"{filled.url}{PATH}/config", headers=headers) as response:
        assert (response.status, await response.read()) == (304, b"")


async def test_versions_are_compared_and_judged(filled: Api, core: Parts, command: Command) -> None:
    assert "pmta1: running and plan are the same" in await command("pmta", "diff")
    found = await command("pmta", "diff", "--from", "1", "--to", "running")
    assert "+<virtual-mta vmta-192-0-2-10>" in found
    for wrong, status in (("from=odd", 400), ("from=99", 404), ("server=nobody", 404)):
        assert (await filled("GET", f"{PATH}/diff?{wrong}"))[0] == status
    assert await command("pmta", "validate") == "pmta1: no problems\n"
    own = "<domain a.example>\n    reroute-to-virtual-mta vmta-192-0-2-10\n</domain>\n"
    status, put = await filled("PUT", f"{PATH}/own/vmta-192-0-2-10", {"lines": own}, match="*")
    assert status == 200, put
    said = await command("pmta", "validate")
    assert "pmta1: warning: tenant-acme.conf:" in said
    assert "without effect" not in said
    assert "other mail is rerouted to it" in said
    another(core, "not an address")
    status, found_ = await filled("GET", f"{PATH}/validate?server=pmta1")
    assert status == 200
    assert "not an address" in str(found_)
    await command("pmta", "validate", code=1)
    listed = await command("pmta", "versions")
    assert "new: VirtualMTA vmta-192-0-2-10" in listed


async def test_without_an_agent_nothing_can_be_applied(api: Api, command: Command) -> None:
    assert "no agent asks for a configuration" in await command("pmta", "apply", code=1)
    assert "no agent asks" in await command("pmta", "status")
    assert "`configuration`" in await command("pmta", "apply", "--server", "pmta1", code=1)
    status, added = await add(api, "192.0.2.10", "example.com")
    assert status == 201
    assert any("sendgate pmta config --output" in note for note in added["notes"])
