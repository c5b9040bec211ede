"""Running PowerMTA configurations become rows, and what is generated from those has the same
VirtualMTAs, IPs, pools and keys."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from control.cli.main import run
from control.parts import Parts
from control.pmta.dkim import Seal
from control.pmta.grammar.parse import parse
from control.takeover.found import Understanding
from control.takeover.understanding import understand
from policy.plan import SYSTEM_VIRTUAL_MTA
from tests.conftest import CreateDatabase
from tests.support.control.core import (
    SECRET,
    TOKEN,
    Api,
    Command,
    api_of,
    build,
    control_core,
    settings_for,
)
from tests.support.repository import ROOT

CONFIGURATIONS = ROOT / "tests" / "data" / "powermta"


class Got(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    error: str


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> Any:
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, pmta_keys="/etc/pmta/sendgate")
    async with control_core(settings) as found:
        yield found


@pytest.fixture
async def api(core: Parts, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    async with api_of(core) as found:
        yield found


async def imported(api: Api, capsys: pytest.CaptureFixture[str], *words: str) -> Got:
    """`sendgate pmta import`, however it ends."""
    code = await asyncio.to_thread(run, ["--url", api.url, "pmta", "import", *words])
    return Got(code, *capsys.readouterr())


def keys_in(folder: Path, *names: str) -> dict[str, str]:
    """Private keys of those names; to their public halves."""
    folder.mkdir()
    seal, public = Seal(SECRET), {}
    for name in names:
        key = seal.new_key()
        (folder / name).write_bytes(seal.open(key.sealed))
        public[name] = key.public
    return public


async def generated(api: Api) -> Understanding:
    """What Sendgate writes now, read as a configuration."""
    status, text = await api("GET", "/api/v2/powermta/config")
    assert status == 200
    assert isinstance(text, str)
    found = parse("sendgate", {"sendgate": text}, lambda _argument, _file: [])
    whole = understand([found.file], found.faults)
    assert not whole.report.refused
    return whole


def shape(found: Understanding) -> dict[str, Any]:
    """VirtualMTAs with IP and host, pools with members, and keys."""
    keys = {(key.selector, key.domain) for vmta in found.vmtas for key in vmta.keys}
    keys |= {(key.selector, key.domain) for pool in found.pools for key in pool.keys}
    keys |= {(key.selector, key.domain) for key in found.keys}
    return {
        "vmtas": sorted((v.name, v.ip, v.host_name) for v in found.vmtas),
        "pools": sorted((p.name, sorted(p.members)) for p in found.pools),
        "keys": sorted(key for key in keys if key[1] != "*"),
    }


@pytest.mark.parametrize(
    ("name", "keys", "code", "vmtas", "pools", "signed"),
    [
        (
            "plain",
            ["acme.test.pem"],
            0,
            ["acme1 192.0.2.11 mta1.acme.test", "acme2 192.0.2.12 mta2.acme.test"],
            {"acme-pool": ["acme1", "acme2"]},
            ["mail acme.test"],
        ),
        (
            "crlf",
            ["beta.key"],
            0,
            ["beta-1 198.51.100.21 out1.beta.test", "beta-2 198.51.100.22 out2.beta.test"],
            {"BETA": ["beta-1", "beta-2"]},
            ["s2048 beta.test"],
        ),
        (
            "tree",
            ["gamma.pem"],
            0,
            ["gamma-a 203.0.113.31 a.gamma.test", "gamma-b 203.0.113.32 b.gamma.test"],
            {"gamma": ["gamma-a", "gamma-b"]},
            ["g1 gamma.test"],
        ),
        (
            "invented",
            [],
            1,
            ["delta1 192.0.2.41 m1.delta.test", "delta3 192.0.2.43 m3.delta.test"],
            {"delta": ["delta3"], "customer": ["delta1"]},
            [],
        ),
        (
            "wrapped",
            [],
            1,
            ["eps1 198.51.100.51 e1.eps.test", "eps2 198.51.100.52 e2.eps.test"],
            {"customer": ["eps1", "eps2"]},
            [],
        ),
        (
            "templates",
            [],
            1,
            ["zeta-2 203.0.113.62 z2.zeta.test"],
            {"customer": ["zeta-2"]},
            [],
        ),
        (
            "old",
            ["eta.test-dkim.key"],
            0,
            ["eta 192.0.2.71 old.eta.test"],
            {"customer": ["eta"]},
            ["sel1 eta.test"],
        ),
        (
            "shared",
            ["theta.pem", "iota.pem"],
            0,
            [
                "iota1 192.0.2.91 m1.iota.test",
                "iota2 192.0.2.92 m2.iota.test",
                "theta1 192.0.2.81 m1.theta.test",
            ],
            {"theta": ["theta1"], "iota": ["iota1", "iota2"], "iota-quick": ["iota2"]},
            ["a theta.test", "b iota.test"],
        ),
    ],
)
async def test_a_configuration_comes_out_as_it_went_in(
    api: Api,
    core: Parts,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    keys: list[str],
    code: int,
    vmtas: list[str],
    pools: dict[str, list[str]],
    signed: list[str],
) -> None:
    public = keys_in(tmp_path / "keys", *keys)
    words = [str(CONFIGURATIONS / name / "config"), "--tenant", "customer"]
    words += ["--keys", str(tmp_path / "keys")]
    if name == "shared":
        words += ["--of", "theta=theta-co"]
    words.append("--json")
    before = await core.publisher.current()
    shown = await imported(api, capsys, *words)
    assert shown.code == code, shown
    assert await core.publisher.current() == before, "shown is nothing changed"
    view = msgspec.json.decode(shown.out)
    assert bool(view["refused"]) == bool(code)
    assert view["vmtas"] == len(vmtas)
    assert {one["password"] for one in view["tenants"]} == {None}
    if code:
        refused = await imported(api, capsys, *words, "--yes")
        assert refused.code == 1
        assert "nothing was changed" in refused.error
        assert await core.publisher.current() == before
    written = await imported(api, capsys, *words, "--yes", "--leave-refused")
    assert written.code == code, written.error
    found = shape(await generated(api))
    assert [" ".join(one) for one in found["vmtas"]] == vmtas
    assert dict(found["pools"]) == {pool: sorted(members) for pool, members in pools.items()}
    assert [" ".join(one) for one in found["keys"]] == signed
    rows = await core.pool.fetch("SELECT dkim_public FROM sending_domain")
    assert {row["dkim_public"] for row in rows} == set(public.values())
    # Again, it is all here.
    again = await imported(api, capsys, *words[:-1], "--yes", "--leave-refused")
    assert again.code == code, again.error
    assert "is here already" in again.out
    assert shape(await generated(api)) == found


async def test_what_is_refused_names_file_line_and_reason(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    path = CONFIGURATIONS / "invented" / "config"
    got = await imported(api, capsys, str(path), "--tenant", "customer", "--json")
    assert got.code == 1
    view = msgspec.json.decode(got.out)
    lines = path.read_text().splitlines()
    refused = {entry["line"]: entry for entry in view["refused"]}
    assert {entry["file"] for entry in view["refused"]} == {str(path)}
    invented = ("max-msg-rate 50/h", "m2.delta", "throttle", "weight", "domain-selection")
    invented += ("<limits>", "<bounce-log", "records all", "rotate-period", "routing-file")
    invented += ("smtp-listener {", "smtp-25bit")
    for text in invented:
        (number,) = (at for at, line in enumerate(lines, 1) if text in line)
        assert number in refused, text
        assert len(refused[number]["what"]) > 15
    assert not any("smtp-25bit" in text or "all" in text for text in view["own"].values())


async def test_what_is_only_in_no_guide_is_kept(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "unlisted").write_text("<source 0/0>\n    remove-received-headers yes\n</source>\n")
    got = await imported(api, capsys, str(tmp_path / "unlisted"), "--json")
    assert got.code == 0
    assert "remove-received-headers" in msgspec.json.decode(got.out)["own"][""]


async def test_a_tenant_has_to_be_named(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    path = CONFIGURATIONS / "shared" / "config"
    got = await imported(api, capsys, str(path), "--of", "iota=i", "--json")
    assert got.code == 1
    said = [entry["what"] for entry in msgspec.json.decode(got.out)["refused"]]
    assert any("--of theta=TENANT" in text for text in said)


async def test_names_that_clash_or_are_unknown_are_told(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(CONFIGURATIONS / "plain" / "config")
    got = await imported(api, capsys, path, "--tenant", "ACME2", "--new-keys", "--json")
    assert got.code == 1, got.error
    view = msgspec.json.decode(got.out)
    (entry,) = view["refused"]
    assert "name the tenant otherwise" in entry["what"]
    assert (view["vmtas"], view["pools"]) == (1, 1)
    got = await imported(api, capsys, path, "--tenant", "acme", "--of", "nopool=other")
    assert got.code == 1
    assert "'nopool' is no pool or VirtualMTA" in got.error
    got = await imported(api, capsys, path)
    assert got.code == 1
    assert "nothing was understood that can be taken over" in got.out


async def test_a_key_that_is_not_given_is_refused_or_made(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(CONFIGURATIONS / "plain" / "config")
    words = [path, "--tenant", "customer", "--keys", str(tmp_path)]
    got = await imported(api, capsys, *words, "--json")
    assert got.code == 1
    (entry,) = msgspec.json.decode(got.out)["refused"]
    assert "--new-keys" in entry["what"]
    got = await imported(api, capsys, *words, "--yes", "--leave-refused", "--json")
    assert got.code == 1
    view = msgspec.json.decode(got.out)
    assert (view["domains"], len(view["refused"])) == (0, 1)
    assert (await api("GET", "/api/v2/domains"))[1] == [], "what is refused is left out"
    assert not any(one["line"] == entry["line"] for one in view["understood"])
    assert (await imported(api, capsys, *words, "--new-keys", "--yes")).code == 0
    assert (await imported(api, capsys, *words, "--yes")).code == 0, "the domain is here"


async def test_what_another_tenant_has_is_refused_with_its_place(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    new = {"name": "globex", "login": "globex", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "globex", "domain": "g.example", "ip": "192.0.2.31", "quota": 3}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    path = tmp_path / "config"
    blocks = [
        f"<virtual-mta v{at}>\n    smtp-source-host 192.0.2.{at} v{at}.example\n</virtual-mta>\n"
        for at in (30, 31)
    ]
    path.write_text(
        "".join(blocks) + "<virtual-mta-pool p>\nvirtual-mta v31\n</virtual-mta-pool>\n"
    )
    words = [str(path), "--tenant", "acme"]
    for more in ([], ["--yes"]):
        got = await imported(api, capsys, *words, *more, "--json")
        assert got.code == 1
        view = msgspec.json.decode(got.out)
        entries = view["refused"] if not more else view["errors"]
        assert len(entries) == 1
        assert "IP 192.0.2.31 is not available to tenant acme" in str(entries)
        assert "4" in str(entries[0].get("line", entries[0].get("field")))
    assert (await api("GET", "/api/v2/tenants/acme"))[0] == 404, "all of it or nothing"
    got = await imported(api, capsys, *words, "--yes", "--leave-refused")
    assert got.code == 1
    assert "1 VirtualMTA" in got.out
    assert [one["ip"] for one in (await api("GET", "/api/v2/ips?tenant=acme"))[1]] == ["192.0.2.30"]


async def test_what_is_next_is_said(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text(
        "postmaster p@a.example\n<domain gmail.com>\n    max-smtp-out 2\n</domain>\n"
        "<virtual-mta v>\n    smtp-source-host 192.0.2.30 v.example\n</virtual-mta>\n"
    )
    got = await imported(api, capsys, str(path), "--tenant", "acme")
    assert "next: --kept FOLDER writes own.conf, for PowerMTA's main file to include" in got.out
    assert "next: in PowerMTA's main file, sendgate.conf takes the place" in got.out
    assert "write <domain gmail.rollup>" in got.out
    kept = tmp_path / "kept"
    got = await imported(api, capsys, str(path), "--tenant", "acme", "--kept", str(kept))
    assert f"next: copy {kept}/own.conf to PowerMTA's host" in got.out


async def test_a_key_that_is_none_changes_nothing(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = await core.publisher.current()
    (tmp_path / "acme.test.pem").write_text("-----BEGIN NOTHING-----\n")
    words = [str(CONFIGURATIONS / "plain" / "config"), "--tenant", "customer", "--yes"]
    got = await imported(api, capsys, *words, "--keys", str(tmp_path))
    assert got.code == 1
    assert "/etc/pmta/dkim/acme.test.pem is no private key in PEM" in got.error
    assert f"{words[0]}:" in got.error
    assert await core.publisher.current() == before


async def test_what_is_kept_goes_on_as_includes(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(CONFIGURATIONS / "plain" / "config")
    words = [path, "--tenant", "customer", "--new-keys", "--kept", str(tmp_path / "own")]
    assert (await imported(api, capsys, *words)).code == 0
    own = (tmp_path / "own" / "own.conf").read_text()
    assert own.startswith("# Two VirtualMTAs of one customer, a key for both.\npostmaster ")
    assert "<virtual-mta" not in own
    inner = (tmp_path / "own" / "acme2.conf").read_text()
    assert inner == (
        "<domain gmail.com>\n    # Slowly, since March.\n    max-msg-rate 100/h\n</domain>\n"
    )


async def test_what_passes_by_the_gateways_or_opens_a_door_is_a_warning(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        "http-access 0/0 admin\n"
        "<virtual-mta kappa>\n    smtp-source-host 192.0.2.10 k.kappa.test\n</virtual-mta>\n"
        "<domain old.example>\n    reroute-to-virtual-mta Kappa\n</domain>\n"
    )
    words = [str(tmp_path / "config"), "--tenant", "customer"]
    got = await imported(api, capsys, *words, "--json")
    assert got.code == 0
    warned = msgspec.json.decode(got.out)["warned"]
    assert [(entry["line"], entry["text"]) for entry in warned] == [
        (1, "http-access 0/0 admin"),
        (6, "reroute-to-virtual-mta Kappa"),
    ]
    assert "past the gateways" in (await imported(api, capsys, *words)).out


async def test_178_domains_and_macros_of_kilobytes_are_kept(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    macro = ",".join(f"d{number}.example" for number in range(400))
    blocks = "\n".join(
        f"<domain p{number}.example>\n\tmax-smtp-out {number + 1}\n</domain>"
        for number in range(178)
    )
    (tmp_path / "config").write_text(
        f"domain-macro many {macro}\n<domain $many>\n    max-smtp-out 4\n</domain>\n{blocks}\n"
        "<virtual-mta kappa>\n    smtp-source-host 192.0.2.10 k.kappa.test\n</virtual-mta>\n"
    )
    got = await imported(api, capsys, str(tmp_path / "config"), "--tenant", "customer", "--json")
    assert got.code == 0, got
    view = msgspec.json.decode(got.out)
    assert len(view["kept"]) == 180
    assert view["own"][""].count("<domain ") == 179


async def test_what_the_generator_writes_reads_back(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = Command(api, capsys)
    await command("seed", "--count", "3")
    before = shape(await generated(api))
    assert len(before["vmtas"]) == 6
    await command("pmta", "config", "--output", str(tmp_path / "c"), "--keys", str(tmp_path / "k"))
    words = [str(tmp_path / "c"), "--of", "sos-expat-pool=sos-expat"]
    words += ["--of", "ulixai-pool=ulixai", "--keys", str(tmp_path / "k"), "--yes"]
    got = await imported(api, capsys, *words)
    assert got.code == 0, got
    assert "is here already" in got.out
    assert SYSTEM_VIRTUAL_MTA not in str(before)
