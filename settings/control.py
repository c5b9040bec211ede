"""The configuration of the control plane.

As in `settings.model`: the text under a field is its manual, times are seconds, sizes octets.
"""

from typing import Annotated

import msgspec

from settings.hold import Octets, Seconds

Rate = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


FormerValid = Annotated[float, msgspec.Meta(ge=60, le=2_592_000)]
"""Seconds, a minute to thirty days: what is changed by hand is, and what is forgotten ends."""


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP API."""

    host: str = "127.0.0.1"
    """Where the API listens. Beyond loopback it wants `certificate` and `key`, or
    `plain_beyond_loopback`."""
    port: Port = 8000
    """0 takes any free one."""
    certificate: str = ""
    """PEM file of its own certificate and those that sign it; with it the API speaks HTTPS, TLS 1.2
    or newer, and nothing else. A new pair is taken with SIGHUP; connections go on."""
    key: str = ""
    """PEM file of its key, without a passphrase."""
    strict_transport: Annotated[int, msgspec.Meta(ge=0, le=63_072_000)] = 31_536_000
    """Seconds for which a browser that met us in HTTPS asks in nothing else (RFC 6797); 0: says
    nothing of it."""
    plain_beyond_loopback: bool = False
    """Speak plain HTTP beyond loopback, where tokens and customers' mail can be read on the way:
    for a TLS proxy, or a container's network, in front of it."""
    max_body: Octets = 10_485_760
    """Octets of a request."""
    publish_wait: Seconds = 10.0
    """How long a change waits for every live gateway worker to run it."""
    metrics_networks: tuple[str, ...] = ()
    """From here `/metrics` is read without a token. What counts is the address of who connects,
    never a header: behind a proxy that is the proxy's, and naming it lets in whoever reaches it."""
    proxy_networks: tuple[str, ...] = ()
    """Proxies in front of the API whose `X-Forwarded-For` is believed: where who signs in comes
    from. Without it all that comes through one counts as one source. Not for `metrics_networks`."""
    allowed_origins: Annotated[tuple[str, ...], msgspec.Meta(max_length=100)] = ()
    """Origins of pages whose scripts may ask the API from a browser, each as the browser writes it:
    `https://console.example`, with `:PORT` where it is not the scheme's own. Empty: none may."""
    gateway_networks: tuple[str, ...] = ("127.0.0.1",)
    """Addresses of the gateways, for the generated PowerMTA `<source>`."""
    leaving: Annotated[float, msgspec.Meta(ge=60, le=86_400)] = 600.0
    """Seconds after which a removal of a tenant that nobody finished is put back."""
    generations_kept: Annotated[int, msgspec.Meta(ge=20, le=100_000)] = 200
    """Published plans that are kept, the newest. A change adds what it touched, some 40 KB. A lost
    ledger is rebuilt with them only where an older version booked what PowerMTA took."""
    answers_kept: Annotated[int, msgspec.Meta(ge=0, le=4_096)] = 64
    """Megabytes of answers about the plan that are kept until it changes; 0: none are."""
    outcomes_kept: Annotated[float, msgspec.Meta(ge=86_400, le=31_536_000)] = 2_592_000.0
    """Seconds for which it is kept what became of each message (30 days); dropped by whole days."""
    audit_kept: Annotated[float, msgspec.Meta(ge=2_592_000, le=315_360_000)] = 63_072_000.0
    """Seconds for which the audit log is kept (two years); the table gives nothing back before."""
    idempotency_kept: Annotated[float, msgspec.Meta(ge=3_600, le=604_800)] = 86_400.0
    """Seconds for which the answer to a request with an `Idempotency-Key` is kept, sealed."""
    idempotency_running: Annotated[float, msgspec.Meta(ge=10, le=3_600)] = 120.0
    """Seconds after which a request whose control process died may be done under its key again;
    one that only took longer commits nothing then."""
    idempotency_most: Annotated[int, msgspec.Meta(ge=10, le=1_000_000)] = 5_000
    """Keys of one token or person that are kept; more are refused (429)."""
    idempotency_answer: Annotated[int, msgspec.Meta(ge=1_024, le=10_485_760)] = 65_536
    """Octets of an answer that is kept. What is longer is done once all the same, but answered 409
    the second time."""
    rate_requests: Rate = 3_000
    """Requests a minute of one token or person, all at once or one by one; more are answered 429
    with `Retry-After`. 0: no limit. Each control process counts its own."""
    rate_costly: Rate = 120
    """The same of requests that ask DNS for many names or work for seconds (simulations, growth, a
    domain's check, taking over PowerMTA's files); they count for `rate_requests`, too."""
    rate_address: Rate = 600
    """The same of one address (of IPv6 a /64) without a valid token: signing in, and refused
    tokens. Behind a proxy set `proxy_networks`, or all the world is one address."""
    rate_sources: Annotated[int, msgspec.Meta(ge=1_000, le=1_000_000)] = 100_000
    """Tokens and people, and as many addresses, that are counted apart within a minute, some 200
    octets each; beyond, those that are new share one allowance."""
    console_viewers: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    """Pages of the console that are kept up to date at a time, each by a connection that stays
    open; more are refused (503), and show what is there when they are loaded."""
    pack_least: Annotated[int, msgspec.Meta(ge=256, le=10_485_760)] = 1_024
    """Octets of an answer from which on it is packed with gzip for who accepts it: a smaller one
    fits one packet either way."""
    pack_inline: Annotated[int, msgspec.Meta(ge=1_024, le=1_048_576)] = 65_536
    """Octets that are packed where they are (0.5 ms, measured); a thread costs as much. A larger
    answer is packed in one."""
    pack_at_once: Annotated[int, msgspec.Meta(ge=1, le=32)] = 2
    """Larger ones at a time, each of which takes a processor: 10 to 60 ms a megabyte."""
    pmta_config: str = ""
    """File to keep the generated configuration in; empty writes none."""
    pmta_reload_url: str = ""
    """PowerMTA's web monitor, to test and reload after a change (`http://HOST:8080/command`); empty
    leaves it to the operator."""
    pmta_api_key: str = ""
    """PowerMTA's `http-api-key`, sent with the reload; better given as
    SENDGATE_CONTROL_PMTA_API_KEY. Empty sends none."""
    pmta_keys: str = ""
    """Folder of the DKIM key files as PowerMTA sees it; empty: PowerMTA signs nothing. Where it
    exists on control's machine it is filled by the hand-over, else by `sendgate pmta config
    --keys`."""
    pmta_apply_wait: Annotated[float, msgspec.Meta(ge=1, le=50)] = 30.0
    """How long a change waits until PowerMTA's agent says that it runs what the change brings;
    then nothing is changed. Other changes wait meanwhile, and a command gives up after 60 s."""
    pmta_agent_wait: Annotated[float, msgspec.Meta(ge=0, le=300)] = 55.0
    """Longest wait for another version in one request of an agent; below the time-out of any proxy
    between them."""
    pmta_agent_silent: Annotated[float, msgspec.Meta(ge=60, le=86_400)] = 180.0
    """Seconds without a word of an agent, which asks each minute, after which a change that
    PowerMTA must know of is refused at once, and the silence is something wrong."""
    pmta_versions_kept: Annotated[int, msgspec.Meta(ge=5, le=10_000)] = 50
    """Versions of each PowerMTA server's configuration that are kept, the newest; besides them what
    it runs and what it is to run, and as many that were withdrawn. Their DKIM keys are kept with
    them, sealed."""
    pmta_canary: str = ""
    """PowerMTA server that `sendgate pmta apply` begins with; empty takes the first by name."""
    system_host_name: str = ""
    """Host name of Sendgate's own mail (probes) at PowerMTA; empty takes the machine's."""
    pmta_accounting: str = "/var/log/pmta"
    """Folder on the PowerMTA server for the accounting files of the generated configuration."""
    pmta_bounce_after: Annotated[float, msgspec.Meta(ge=0, le=604_800)] = 388_800.0
    """PowerMTA's `bounce-after`, the longest of your `<domain>` blocks (4d12h): for so long it may
    have mail queued for an IP, which is not removed before."""
    pmta_drained: Annotated[float, msgspec.Meta(ge=60, le=86_400)] = 600.0
    """Seconds for which a server's agent has to have counted nothing queued for an IP that does not
    send, before the IP may be removed ahead of `pmta_bounce_after`. A gateway may wait for the
    answer to a message for ten minutes (RFC 5321 section 4.5.3.2.6)."""
    pmta_bounces: tuple[str, ...] = ()
    """Addresses, or `@DOMAIN`, whose mail PowerMTA reads as bounces (rb records). Their domains
    become PowerMTA's own: their MX has to point at it, and it needs a restart, not a reload."""
    pmta_complaints: tuple[str, ...] = ()
    """The same for feedback loops (f records)."""
    pmta_wall: Annotated[float, msgspec.Meta(ge=0, le=100)] = 3.0
    """The second wall: so many times its quota of a day PowerMTA itself lets an IP attempt, should
    anything feed it past the gateway. It counts attempts, and its day may begin at any hour: under
    2 mail would wait that may go. Written only where PowerMTA gets each change by itself (an agent,
    or `pmta_config` with `pmta_reload_url`). 0: none."""
    pmta_rollups: bool = True
    """One queue for all domains of a provider (`<mx-rollup-list>`), with the provider's rates. No
    if your own configuration has an `<mx-rollup-list>`: PowerMTA takes one."""
    pmta_backoff: bool = True
    """A queue whose provider refuses the IP goes into back-off, by the table of replies."""
    pmta_categories: bool = False
    """Bounce categories by the table of replies (`<bounce-category-patterns>`). Take PowerMTA's own
    block out of its configuration first: it takes one."""
    pmta_webhook: str = ""
    """Where PowerMTA posts its records beside its file (edition of 2020):
    `https://HOST/api/v2/powermta/accounting`. Empty: it does not."""
    pmta_webhook_headers: str = ""
    """File on PowerMTA's host with the headers it posts: `Authorization: Bearer TOKEN`."""
    pmta_monitors: tuple[str, ...] = ()
    """Addresses or networks that may read PowerMTA's web monitor (`http-access … monitor`)."""
    former_valid: FormerValid = 86_400.0
    """Seconds for which the former password of a login is good beside its new one
    (`sendgate login rotate`), where that does not say it."""
    secret: str = ""
    """Seals what is secret in PostgreSQL (DKIM keys, keys of tokens, codes): 32 octets in URL-safe
    base64. Better given as SENDGATE_CONTROL_SECRET; an embedded stack makes its own."""
    secrets_before: Annotated[tuple[str, ...], msgspec.Meta(max_length=10)] = ()
    """Former ones, which open what they sealed until `sendgate secret reseal` is done."""
    start_unopened: bool = False
    """Start although something sealed is opened by none of them: what needs it is refused then."""
