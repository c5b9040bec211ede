"""Settings that are each right and cannot work together. Pure, but for files that must exist."""

import re
from pathlib import Path

from policy.address import hello_name
from policy.isotime import seconds_of
from policy.node import network
from policy.provider import PROVIDERS
from settings.alerts import Alerts
from settings.model import Settings, Warmup
from settings.urls import database_problems, ledger_problems, web_problems

_KEY = re.compile(r"[A-Za-z0-9]+:[A-Za-z0-9_-]{43}=")
_SECRET = re.compile(r"[A-Za-z0-9_+/-]{43}=")
_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)
_OWN_PORTS = {"http": ":80", "https": ":443"}
"""What a browser leaves out of an origin (RFC 6454, 6.2)."""
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")


def contradictions(settings: Settings) -> list[str]:
    """One sentence each, naming the field to change."""
    gateway, relay, ledger = settings.gateway, settings.relay, settings.ledger
    found = [f"ledger.url: {problem}" for problem in ledger_problems(ledger.url)]
    found += [f"database.url: {problem}" for problem in database_problems(settings.database.url)]
    found += [
        f"control.pmta_reload_url: {problem}"
        for problem in web_problems(settings.control.pmta_reload_url)
    ]
    secure = [li for li in gateway.listeners if li.tls != "none"]
    if secure and not (gateway.certificate and gateway.key):
        found.append("gateway.certificate, gateway.key: needed by the listeners with TLS")
    for name in ("certificate", "key"):
        file = getattr(gateway, name)
        if file and not Path(file).is_file():
            found.append(f"gateway.{name}: {file} does not exist")
    found += [
        f'gateway.listeners[{i}].require_tls: the listener offers no TLS (tls = "none")'
        for i, li in enumerate(gateway.listeners)
        if li.require_tls and li.tls == "none"
    ]
    found += _networks("gateway.plain_auth_networks", gateway.plain_auth_networks)
    found += _networks("gateway.proxy_networks", gateway.proxy_networks)
    found += _networks("control.metrics_networks", settings.control.metrics_networks)
    found += _networks("control.proxy_networks", settings.control.proxy_networks)
    found += [
        f"control.allowed_origins: {text!r} is not an origin as a browser writes it, such as "
        "https://console.example or http://127.0.0.1:3000 (lower case, no path, no *)"
        for text in settings.control.allowed_origins
        if not _is_origin(text)
    ]
    found += [f"people.url: {problem}" for problem in web_problems(settings.people.url)]
    if gateway.postmaster and not _is_plain(gateway.postmaster):
        what = f"{gateway.postmaster!r} is no address such as postmaster@example.com"
        found.append(f"gateway.postmaster: {what}")
    for field, host in (
        ("gateway.hostname", gateway.hostname),
        ("relay.hello", relay.hello),
        ("control.system_host_name", settings.control.system_host_name),
    ):
        if host and hello_name(host) is None:
            found.append(f"{field}: {_no_hello_name(host)}")
    found += [
        f"warmup.provider_shares.{name}: no such provider; known: {', '.join(sorted(PROVIDERS))}"
        for name in settings.warmup.provider_shares
        if name not in PROVIDERS
    ]
    found += _staggered(settings.warmup)
    found += [
        f"warmup.{field}.{name}: no such provider; known: {', '.join(sorted(PROVIDERS))}"
        for field in ("provider_minute_limits", "provider_hourly_limits")
        for name in getattr(settings.warmup, field)
        if name not in PROVIDERS
    ]
    if not gateway.listeners:
        found.append("gateway.listeners: at least one is needed")
    if relay.budget >= gateway.answer_budget:
        found.append("relay.budget: must be below gateway.answer_budget, or clients time out first")
    if ledger.budget >= relay.budget:
        found.append("ledger.budget: must be below relay.budget")
    if not ledger.timeout < ledger.lease < relay.grant_lifetime + relay.budget:
        found.append(
            "ledger.lease: must be above ledger.timeout, and below relay.grant_lifetime and "
            "relay.budget together, after which a lost ledger may be opened again"
        )
    if settings.hold.enabled and relay.budget + settings.hold.commit_budget > gateway.answer_budget:
        found.append(
            "hold.commit_budget: must fit into gateway.answer_budget together with relay.budget"
        )
    if settings.control.leaving <= 2 * settings.control.publish_wait + gateway.answer_budget:
        found.append(
            "control.leaving: must be above twice control.publish_wait and gateway.answer_budget "
            "together, which the removal of a tenant waits"
        )
    if settings.hold.lease <= relay.grant_lifetime:
        found.append("hold.lease: must be above relay.grant_lifetime")
    if settings.hold.probe_gap <= relay.late_reply:
        found.append(
            "hold.probe_gap: must be above relay.late_reply, or a message whose session still "
            "waits for its reply could be taken for absent"
        )
    if settings.hold.events_kept < settings.hold.history_kept:
        found.append("hold.events_kept: must not be below hold.history_kept")
    if not all(_KEY.fullmatch(key) for key in settings.hold.keys):
        found.append("hold.keys: each is ID:KEY, KEY being 32 octets in URL-safe base64")
    ids = [key.partition(":")[0] for key in settings.hold.keys]
    if len(set(ids)) < len(ids):
        found.append("hold.keys: each has an ID of its own, which sealed contents name")
    if settings.control.secret and not _SECRET.fullmatch(settings.control.secret):
        found.append(
            "control.secret: expected 32 octets in URL-safe base64, as `openssl rand -base64 32 | "
            "tr +/ -_` makes them"
        )
    before = settings.control.secrets_before
    if not all(_SECRET.fullmatch(one) for one in before):
        found.append("control.secrets_before: each is 32 octets in URL-safe base64")
    if before and not settings.control.secret:
        found.append("control.secret: the newest is missing, and secrets_before has former ones")
    if settings.control.secret in before:
        found.append("control.secrets_before: has control.secret itself; keep it there alone")
    if settings.accounting.webhook_keys_before and not settings.accounting.webhook_key:
        found.append("accounting.webhook_key: the newest is missing; webhook_keys_before has some")
    if (until := settings.accounting.webhook_former_until) and seconds_of(until) is None:
        found.append(
            f"accounting.webhook_former_until: {until!r} is no ISO time with its zone, such as "
            "2026-12-24T12:00:00Z"
        )
    servers = [stream.server for stream in settings.accounting.streams]
    if len(set(servers)) < len(servers):
        found.append("accounting.streams: each server has one stream; its files lie side by side")
    try:
        re.compile(relay.suppression_pattern, re.IGNORECASE)
    except re.error as error:
        found.append(f"relay.suppression_pattern: no regular expression: {error}")
    if relay.password and not relay.login:
        found.append("relay.login: missing, while relay.password is set")
    if not re.fullmatch(r"(?:\w{32,128})?", settings.control.pmta_api_key, re.ASCII):
        found.append("control.pmta_api_key: expected 32 to 128 letters, digits or underscores")
    return found + _alerts(settings.alerts)


def _alerts(alerts: Alerts) -> list[str]:
    found = [f"alerts.telegram_url: {text}" for text in web_problems(alerts.telegram_url)]
    if web_problems(alerts.webhook_url):
        # It may be a secret: what is wrong with it is not quoted.
        found.append("alerts.webhook_url: expected a URL such as https://host/path")
    if bool(alerts.telegram_token) != bool(alerts.telegram_chat):
        lacks = "telegram_chat" if alerts.telegram_token else "telegram_token"
        found.append(f"alerts.{lacks}: missing: a bot's token and a chat go together")
    if re.search(r"[^\w:-]", alerts.telegram_token, re.ASCII):
        found.append("alerts.telegram_token: expected one such as 123456:ABC-def")
    if not alerts.mail_server:
        return found
    if not re.fullmatch(r"\S+:[0-9]{1,5}", alerts.mail_server):
        found.append(f"alerts.mail_server: {alerts.mail_server!r} is not HOST:PORT")
    for name, addresses in (("mail_from", (alerts.mail_from,)), ("mail_to", alerts.mail_to)):
        if not addresses or not all(map(_is_plain, addresses)):
            found.append(f"alerts.{name}: expected addresses such as ops@example.com")
    return found


def _is_plain(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    return _ATOMS.fullmatch(local) is not None and hello_name(domain) is not None


def _networks(field: str, texts: tuple[str, ...]) -> list[str]:
    found = []
    for text in texts:
        try:
            network(text)
        except ValueError:
            found.append(f"{field}: {text!r} is not a network such as 10.0.0.0/8")
    return found


def _no_hello_name(host: str) -> str:
    if "_" in host:
        return f"{host!r}: a host that says EHLO has letters, digits and hyphens only"
    return f"{host!r} is no host name such as smtp.example.com"


def _staggered(warmup: Warmup) -> list[str]:
    least, most = warmup.stagger_min_ms, warmup.stagger_max_ms
    if most is None:
        return []
    if least is None:
        return ["warmup.stagger_max_ms: has no meaning without warmup.stagger_min_ms: set both"]
    if most < least:
        return [f"warmup.stagger_max_ms: {most} is less than warmup.stagger_min_ms ({least})"]
    return []


def _is_origin(text: str) -> bool:
    found = _ORIGIN.fullmatch(text)
    # A port has 16 bits, and a browser writes no zero before it (URL Standard, 4.3): what it never
    # sends would be let in by nobody, and say nothing of it.
    return (
        found is not None
        and int(found[1] or 1) <= 65_535
        and not text.endswith(_OWN_PORTS[text.partition(":")[0]])
    )
