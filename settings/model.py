"""The configuration file, as structs. The text under a field is its manual.

One TOML file serves every process; `deploy/config/sendgate.toml` shows every field with its
default. Times are seconds, sizes octets. Secrets may come from the environment
(`settings.environment`).
"""

from typing import Annotated, Literal

import msgspec

from policy.model import Count, Share
from policy.outcome import DEFAULT_SUPPRESSION
from policy.warmup.plan import DEFAULT_PROVIDER_SHARES, DEFAULT_WEEKS
from settings.accounting import Accounting
from settings.alerts import Alerts
from settings.blocklists import Blocklists
from settings.control import Control, Port
from settings.dns import Dns
from settings.hold import Hold, Octets, Seconds
from settings.ledger import Ledger
from settings.log import Log
from settings.people import People
from settings.providers import Providers
from settings.statistics import Statistics
from settings.suppressions import Suppressions

Positive = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PostgreSQL 15 or newer."""

    url: str = "postgresql://sendgate@127.0.0.1:5432/sendgate"
    """Also DATABASE_URL. Of its parameters those of asyncpg act, `application_name`, `options`,
    `search_path`, and `connection_limit`: the pool's size, `connections` of a control process and
    the most for `hold.connections` of a gateway process. Left out are `pool_timeout`,
    `connect_timeout`, `socket_timeout`, `statement_cache_size` and the lifetimes of other pools;
    any other is an error."""
    connections: Positive = 10
    """Most connections of one control process, which needs 4 at least: it asks for one while it
    holds others."""
    timeout: Seconds = 30.0
    """For one statement; PostgreSQL is told, too, and ends it where a process of ours hangs. So
    long control waits for one of its `connections`, too."""
    idle_transaction: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    """Longest wait for us between two statements of a transaction; then PostgreSQL ends it. So a
    process that hangs or was frozen holds no lock for ever, that of publishing included; above the
    20 s in which PowerMTA must have tested and loaded its configuration."""
    transaction: Annotated[float, msgspec.Meta(ge=60, le=86_400)] = 900.0
    """Longest transaction, whatever it does meanwhile; PostgreSQL 17 or newer ends it then, and an
    older one leaves it. Only reading a whole ledger back and a restore have longer."""
    synchronous: bool = False
    """true: a failover goes to a synchronous standby only, so that it loses no commit. Believed
    where commits waited for one at control's last look; else it is treated as a restored backup."""
    look: Seconds = 15.0
    """Between two looks of a gateway, over a new connection, whether `url` still leads to the
    server that its other connections lead to; else those end."""

    def bounds(self, at_least: float = 0.0) -> dict[str, str]:
        """What every session tells PostgreSQL at its start, milliseconds; statements that ask for
        more time have `at_least` so many seconds. A COMMIT is not cut: the
        server's clock for statements stops before it commits, so that it never calls durable what
        a synchronous standby does not have yet."""
        return {
            "statement_timeout": str(round(max(self.timeout, at_least) * 1000)),
            "idle_in_transaction_session_timeout": str(round(self.idle_transaction * 1000)),
        }

    @property
    def whole(self) -> str:
        """`transaction` as PostgreSQL 17 takes it. Not among `bounds`: an older one would refuse
        a session that began with it."""
        return str(round(self.transaction * 1000))


class Listener(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SMTP address."""

    host: str = "127.0.0.1"
    """An address of this machine; `0.0.0.0` or `::` for all of them."""
    port: Port = 2587
    """Below 1024 needs a capability (the systemd unit gives it); 0 takes any free one."""
    tls: Literal["none", "starttls", "implicit"] = "none"
    """MailWizz's "tls" means `implicit`, its "starttls" or empty means `starttls` or `none`."""
    require_tls: bool = False
    """Nothing but STARTTLS before it: AUTH is not offered, `plain_auth_networks` or not."""
    proxy_protocol: bool = False
    """Expect a PROXY header (v1, v2) of a balancer, in clear before TLS; set `proxy_networks`."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SMTP side."""

    listeners: tuple[Listener, ...] = (Listener(),)
    """One table for each SMTP address; they change with a restart only."""
    hostname: str = ""
    """Name in the greeting: letters, digits and hyphens (or `[IP]`); empty takes the machine's."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    """Processes that share the listeners."""
    admin_host: str = "127.0.0.1"
    """Where the admin port listens; it asks for no password, so keep it on a private network."""
    admin_port: Port = 8025
    """/healthz, /readyz, /metrics."""
    run_dir: str = ""
    """Where workers keep their metrics and sockets; empty takes a private temporary folder."""
    state_dir: str = ""
    """What a gateway has to know again after a restart although PostgreSQL is away: which
    recipients are suppressed. Lasting, and this node's alone. Empty takes STATE_DIRECTORY (as
    systemd sets it), else `run_dir`; where that is empty, too, nothing lasts."""
    certificate: str = ""
    """PEM file with the whole chain, for starttls and implicit; read again on SIGHUP."""
    key: str = ""
    """PEM file with its private key; read again on SIGHUP."""
    postmaster: str = ""
    """Address that takes mail to `<Postmaster>` (RFC 5321 4.5.1); empty refuses it."""
    plain_auth_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """From here AUTH is offered without TLS. An IPv4 client of a listener on `::` is in IPv4
    networks, here and wherever networks are named."""
    proxy_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Balancers that may send a PROXY header."""
    max_message_size: Octets = 26_214_400
    """Offered as SIZE; keep it at or below every PowerMTA server's own."""
    max_line_length: Annotated[int, msgspec.Meta(ge=1000, le=1_048_576)] = 2048
    """Octets of a body line with CRLF. RFC 5321 says 1000; mailers in the wild send more."""
    max_header_size: Octets = 262_144
    """Octets of the header block."""
    max_hops: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """Received fields with which a message goes in circles and is refused (RFC 5321 6.3)."""
    received: tuple[Literal["mailwizz", "mta"], ...] = ("mta",)
    """Profiles of the tenants whose mail gets a Received field of ours on top."""
    received_client: bool = False
    """Its client's name and address stand in it, for recipients to read."""
    max_sessions: Positive = 1000
    """Client sessions of one worker; beyond, new ones are first delayed, then told 421."""
    max_session_transactions: Positive = 1_000_000
    """Messages on one connection."""
    memory_budget: Octets = 268_435_456
    """Octets of message data one worker holds at a time; beyond, readers wait."""
    command_timeout: Seconds = 300.0
    """Between commands (RFC 5321 4.5.3.2.7: five minutes)."""
    data_timeout: Seconds = 180.0
    """Between two blocks of DATA (RFC 5321 4.5.3.2.5: three minutes)."""
    message_timeout: Seconds = 600.0
    """For the whole of one DATA, however steadily a client trickles."""
    proxy_timeout: Seconds = 5.0
    """For the PROXY header."""
    answer_budget: Seconds = 25.0
    """From the final dot to our reply; MailWizz gives up at 30."""
    auth_attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    """Wrong passwords on one connection before it is closed."""
    auth_delay: Annotated[float, msgspec.Meta(ge=0, le=30)] = 1.0
    """How late a wrong password is answered."""
    auth_parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    """Password hashes computed at a time."""
    auth_cache: Positive = 10_000
    """Logins remembered, keyed by a secret of the process."""
    overload_delay: Annotated[float, msgspec.Meta(ge=0, le=10)] = 5.0
    """Longest delay of a greeting near `max_sessions`: synchronous clients slow down by it."""
    drain: Seconds = 30.0
    """On SIGTERM: how long sessions may finish the message they are in."""
    reload_drain: Seconds = 600.0
    """After SIGHUP: how long old workers keep serving the sessions they have."""


class Relay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The side towards PowerMTA. Servers and their addresses come with the generation."""

    hello: str = ""
    """Name in our EHLO, as `gateway.hostname`; empty takes the machine's."""
    tls: Literal["none", "starttls", "implicit"] = "none"
    """How sessions to PowerMTA are secured; `none` for a private network."""
    verify: bool = True
    """Check PowerMTA's certificate (with `ca`, or the system's authorities)."""
    ca: str = ""
    """PEM file of the authorities that PowerMTA's certificate is checked with."""
    login: str = ""
    """User name for AUTH towards PowerMTA; empty sends none."""
    password: str = ""
    """For AUTH towards PowerMTA; better given as SENDGATE_RELAY_PASSWORD."""
    connect_timeout: Seconds = 5.0
    """TCP, TLS, EHLO and AUTH together."""
    budget: Seconds = 20.0
    """From the grant to PowerMTA's answer, below `gateway.answer_budget`."""
    grant_lifetime: Seconds = 30.0
    """A grant not begun by then is given back (policy/README.md: charging)."""
    gateways: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    """Gateway nodes that share each server's sessions; every worker gets its part."""
    idle: Seconds = 60.0
    """A kept-alive session unused for longer is closed, before PowerMTA closes it."""
    max_messages: Positive = 100_000
    """Messages on one session before it is renewed."""
    grow_after: Seconds = 10.0
    """PowerMTA greeted 421 while sessions of ours were open: its slots are shared. Those carry the
    mail; after so long one session more is tried, and then one a second while there are slots."""
    late_reply: Seconds = 600.0
    """How long a session that owes a reply stays open after the client was answered."""
    circuit_failures: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    """Failures of different messages without a success that open a circuit."""
    circuit_wait: Seconds = 10.0
    """Before a probe; doubles up to `circuit_wait_max`."""
    circuit_wait_max: Seconds = 300.0
    """Longest wait before a probe."""
    suppression_pattern: str = DEFAULT_SUPPRESSION
    """Text of PowerMTA's 550 5.7.1 that is about the recipient; others are about our relaying."""


Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]
Stagger = Annotated[int, msgspec.Meta(ge=0, le=86_400_000)]


class Warmup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The default warm-up plan, and what is asked of an IP before it takes its next stage."""

    weeks: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1, max_length=52)] = DEFAULT_WEEKS
    """Recipients a day and IP, week by week. Also WARMUP_WEEK1_QUOTA … WARMUP_WEEK6_QUOTA."""
    provider_shares: dict[str, Share] = msgspec.field(default_factory=DEFAULT_PROVIDER_SHARES.copy)
    """Most of a day's quota that one mailbox provider may get."""
    hourly_share: Share = 0.2
    """Largest burst as a share of the day; 1.0 switches pacing off."""
    global_hourly_limit: Annotated[Count, msgspec.Meta(examples=[10_000])] | None = None
    """Recipients in any 3,600 s: 10,000 are 240,000 a day. Also WARMUP_GLOBAL_HOURLY_LIMIT."""
    global_minute_limit: Annotated[Count, msgspec.Meta(examples=[200])] | None = None
    """The same in any 60 s: 200 are 288,000 a day. Also WARMUP_GLOBAL_MINUTE_LIMIT."""
    user_hourly_limit: Annotated[Count, msgspec.Meta(examples=[500])] | None = None
    """Of a tenant without one of its own: 500 are 12,000 a day. Also WARMUP_USER_HOURLY_LIMIT."""
    min_daily_quota: Annotated[Count, msgspec.Meta(examples=[30])] | None = None
    """What each mailbox of a tenant without a minimum of its own should send a day, at least: its
    waiting mail goes first until it has. Also WARMUP_MIN_DAILY_QUOTA."""
    stagger_min_ms: Annotated[Stagger, msgspec.Meta(examples=[30_000])] | None = None
    """Milliseconds between two messages of one mailbox, at least, for each tenant without a spacing
    of its own. Also WARMUP_STAGGER_MIN_MS."""
    stagger_max_ms: Annotated[Stagger, msgspec.Meta(examples=[120_000])] | None = None
    """And at most: each gap is drawn between the two. Also WARMUP_STAGGER_MAX_MS."""
    provider_minute_limits: dict[str, Count] = {}
    """Provider to most recipients in any 60 seconds, over all tenants; one not named has none."""
    provider_hourly_limits: dict[str, Count] = {}
    """The same in any 3,600 seconds."""
    max_bounce_rate: Percent = 5.0
    """Per cent of relayed; a stage is taken under it only. Also WARMUP_MAX_BOUNCE_RATE."""
    max_spam_rate: Percent = 0.1
    """Per cent of delivered, the same of complaints. Also WARMUP_MAX_SPAM_RATE."""
    min_use: Share = 0.5
    """Of its quota, for a day to count as one of those that earn a stage."""
    guard: Literal["proof", "literal"] = "proof"
    """What pauses an IP: `proof`, a rate over its limit that a healthy IP would show less than once
    in a thousand; `literal`, the bare percentage."""
    cool_down: Annotated[int, msgspec.Meta(ge=0, le=365)] = 7
    """Days after which a pause that warm-up made ends, one stage lower; 0: by hand alone."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    ledger: Ledger = Ledger()
    database: Database = Database()
    gateway: Gateway = Gateway()
    relay: Relay = Relay()
    hold: Hold = Hold()
    accounting: Accounting = Accounting()
    suppressions: Suppressions = Suppressions()
    statistics: Statistics = Statistics()
    providers: Providers = Providers()
    dns: Dns = Dns()
    blocklists: Blocklists = Blocklists()
    control: Control = Control()
    people: People = People()
    warmup: Warmup = Warmup()
    alerts: Alerts = Alerts()
    log: Log = Log()
