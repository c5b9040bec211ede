"""Prometheus as it is shipped beside a stack as people run it: its jobs are up, every panel of each
dashboard has data, no rule fires on mail as it should be, and an alert that does reaches people."""

import itertools
import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from control.accounting.shipment import STATUS
from control.embedded.demo.aftermath import mails
from control.embedded.demo.mail import Mail, first_day
from control.embedded.demo.send import send_all
from tests.support.certificates import make_certificate
from tests.support.control.up import Up, command
from tests.support.dashboards import Ask, asks
from tests.support.servers.nsd import Nsd, needs_nsd, nsd, whole
from tests.support.servers.prometheus import (
    Prometheus,
    Webhook,
    alertmanager,
    needs_prometheus,
    prometheus,
    until,
    webhook,
)
from tests.support.servers.rbldnsd import Rbldnsd, needs_rbldnsd, rbldnsd

pytestmark = [pytest.mark.timeout(300), needs_prometheus, needs_rbldnsd, needs_nsd]

LIST, LISTED, DOMAIN = "list.rbl", "9.9.9.9", "news.acme-mail.net"
CONFIGURATION = """\
[gateway]
certificate = "{certificate}"
key = "{key}"
[[gateway.listeners]]
tls = "starttls"
[warmup]
global_hourly_limit = 100000
[blocklists]
zones = ["{zone}"]
domain_zones = []
nameservers = ["{lists}"]
timeout = 1.0
[dns]
nameservers = ["{names}"]
timeout = 1.0
[statistics]
mailboxes_look = 1.0
"""
TOLD = {"version": "5.0r1", "licence_end": "2099-12-31", "queued": 3}
PATIENCE = 120.0


class Scene(NamedTuple):
    """What runs."""

    data_dir: Path
    ready: dict[str, str]
    lists: Rbldnsd
    prometheus: Prometheus
    webhook: type[Webhook]


def said(data_dir: Path, capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command printed."""
    capfd.readouterr()
    code = command(data_dir, *words)
    found = capfd.readouterr()
    assert code == 0, found
    return found.out


def configured(folder: Path, lists: Rbldnsd, names: Nsd) -> Path:
    """A file for `sendgate up`."""
    shown = make_certificate(folder)
    file = folder / "sendgate.toml"
    text = CONFIGURATION.format(
        certificate=shown.certificate,
        key=shown.key,
        zone=LIST,
        lists=lists.address,
        names=names.address,
    )
    file.write_text(text, encoding="utf-8")
    return file


def posted(url: str, token: str, body: object) -> None:
    """As PowerMTA's agent tells of it."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status in (200, 204)


@pytest.fixture
def scene(data_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    """A stack with the demo's tenants, and all that watches it."""
    with ExitStack() as stack:
        zones = {LIST: ("ip4set", "127.0.0.2 :127.0.0.2:test\n")}
        lists = stack.enter_context(rbldnsd(zones))
        names = stack.enter_context(nsd(tmp_path, {"acme-mail.net": whole("acme-mail.net", "")}))
        file = configured(tmp_path, lists, names)
        up = Up(
            *(data_dir, "--config", str(file), "--smtp-port", "0"),
            *("--api-port", "0", "--standin-port", "0"),
        )
        ready = up.ready()
        made = json.loads(
            said(data_dir, capfd, "token", "add", "prometheus", "--role", "scrape", "--json")
        )
        token = tmp_path / "sendgate.token"
        token.write_text(made["token"], encoding="ascii")
        url, took = stack.enter_context(webhook())
        manager = stack.enter_context(alertmanager(tmp_path, url))
        watching = prometheus(
            tmp_path,
            control=ready["api"].removeprefix("http://"),
            gateway=f"127.0.0.1:{(data_dir / 'ports' / 'admin.port').read_text().strip()}",
            token=token,
            alertmanager=manager,
        )
        yield Scene(data_dir, ready, lists, stack.enter_context(watching), took)
        assert up.end() == 0


def worked(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    """Mail goes out, is held, bounces; jobs ran, and PowerMTA's agent spoke."""
    where = scene.data_dir
    said(where, capfd, "tenant", "set", "demo-acme", "--mailbox-min", "5")
    new = ("--tenant", "demo-acme", "--domain", DOMAIN, "--ip", LISTED, "--pool", "watched")
    said(where, capfd, "domain", "add", *new, "--quota", "200", "--hourly-share", "0.1")
    # Three arrive, two bounce, one is put off; of those before some go, and most are held.
    end = [msgspec.structs.replace(one, domain=DOMAIN) for one in mails(first=900)]
    replies = send_all(scene.ready["smtp"], [*first_day(), *end])
    assert {reply.code for reply in replies} == {250}
    for job in ("dns", "blocklists", "health"):
        said(where, capfd, "job", "run", job)
    # One that is put off is all that PowerMTA still has, by its accounting; its agent knows better.
    comes(scene, "email_engine_pmta_queue_size", 1.0)
    comes(scene, "email_engine_bounces_received_total", 2.0)
    agent = json.loads(said(where, capfd, "token", "add", "agent", "--role", "agent", "--json"))
    report = {"agent": "host1", "agent_version": "1", "server": "pmta1", "told": TOLD}
    posted(scene.ready["api"] + STATUS, agent["token"], report)
    comes(scene, "email_engine_pmta_queue_size", 3.0)


def comes(scene: Scene, metric: str, value: float) -> None:
    """Wait until that is its one value."""
    of = scene.prometheus
    until(lambda: of.values(metric) == [value], PATIENCE, lambda: (metric, of.values(metric)))


def mail(number: int) -> Mail:
    """Some of which go at once; the others wait for the pace of a new IP."""
    to = f"reader{number}@company.example"
    return Mail(tenant="demo-acme", domain=DOMAIN, to=to, number=number)


def lacking(of: Prometheus, wanted: list[Ask]) -> list[Ask]:
    """Those that have no data yet."""
    return [ask for ask in wanted if not of.values(ask.expression)]


def test_every_panel_has_data_and_a_listing_reaches_people(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    of = scene.prometheus
    worked(scene, capfd)
    jobs = {"warmup-system", "sendgate-control", "sendgate-gateway"}
    until(
        lambda: {job for job, (health, _) in of.targets().items() if health == "up"} == jobs,
        PATIENCE,
        of.targets,
    )
    assert not of.values('{__name__=~"warmup_.*",job="sendgate-control"}'), "twice"

    missing = asks()
    assert len(missing) > 100
    numbers = itertools.count(1_000)

    def all_there() -> bool:
        # A rate wants a series that was there before it grew.
        nonlocal missing
        send_all(scene.ready["smtp"], [mail(next(numbers)) for _ in range(2)])
        missing = lacking(of, missing)
        return not missing

    until(
        all_there,
        PATIENCE,
        lambda: "\n".join(f"{a.file} {a.panel}: {a.expression}" for a in missing),
    )
    firing = [name for name, state in of.rules().items() if state == "firing"]
    assert firing == []
    assert scene.webhook.taken == []
    text = f"127.0.0.2 :127.0.0.2:test\n{LISTED} :127.0.0.4:spam\n"
    backwards = ".".join(reversed(LISTED.split(".")))
    scene.lists.put(LIST, text, backwards, {"127.0.0.4"})
    said(scene.data_dir, capfd, "job", "run", "blocklists")
    until(lambda: bool(scene.webhook.taken), 30.0, of.rules)
    assert scene.webhook.wrong == []
    [alert] = scene.webhook.taken[0]["alerts"]
    assert alert["status"] == "firing"
    comes(scene, "email_engine_ips_blacklisted", 1.0)
    assert alert["labels"]["alertname"] == "SendgateIpListed"
    assert alert["labels"]["ip"] == LISTED
    assert alert["annotations"]["summary"] == f"{LISTED} is on the blocklist {LIST}."
