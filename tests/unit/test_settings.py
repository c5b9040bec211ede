"""One file, the environment, and every error at once."""

from pathlib import Path

import pytest

from settings.environment import variable_paths, without_effect
from settings.load import SettingsError, describe, load
from settings.model import Settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "sendgate.toml"


def problems(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    return caught.value.problems


def test_without_a_file_the_defaults_hold(file: Path) -> None:
    del file
    assert load(None, {}) == Settings()


def test_a_file_changes_what_it_names_and_nothing_else(file: Path) -> None:
    file.write_text('[gateway]\nworkers = 3\n[[gateway.listeners]]\nport = 25\nhost = "0.0.0.0"\n')
    settings = load(file, {})
    assert settings.gateway.workers == 3
    assert [str(li.port) + li.host for li in settings.gateway.listeners] == ["250.0.0.0"]
    assert settings.relay == Settings().relay


def test_every_error_is_told_with_its_path(file: Path) -> None:
    file.write_text(
        "[gateway]\nworkers = 0\nwrokers = 2\n[[gateway.listeners]]\nport = 70000\nfoo = 1\n"
        "[ledger]\nurl = 5\n[warmup]\nhourly_share = 2.0\n[typo]\nx = 1\n"
    )
    found = "\n".join(problems(file, {"SENDGATE_RELAY_BUDGET": "soon"}))
    for part in (
        "gateway.workers: ", "gateway.wrokers: no such setting", "gateway.listeners[0].port: ",
        "gateway.listeners[0].foo: no such setting", "ledger.url: ", "warmup.hourly_share: ",
        "typo: no such section", "relay.budget (from SENDGATE_RELAY_BUDGET): ",
    ):  # fmt: skip
        assert part in found


def test_a_wrong_word_or_entry_is_told_with_the_right_ones_and_where_it_came_from(
    file: Path,
) -> None:
    file.write_text(
        '[gateway]\nreceived = ["mta", "x"]\nhostname = "ok.example"\n'
        '[[gateway.listeners]]\ntls = "ssl"\n[hold]\nkeys = [5]\n'
    )
    weeks = {"WARMUP_WEEK3_QUOTA": "many", "WARMUP_WEEK6_QUOTA": "9000"}
    assert set(problems(file, weeks)) == {
        "gateway.received: expected mailwizz or mta, not 'x': entry 2 ('x')",
        "gateway.listeners[0].tls: expected none or starttls or implicit, not 'ssl'",
        "hold.keys: expected `str`, got `int`: entry 1",
        "warmup.weeks (from WARMUP_WEEK3_QUOTA): expected `int`, got `str`: entry 3 ('many')",
    }


def test_names_we_greet_by_are_host_names(file: Path) -> None:
    names = {"gateway": "hostname", "relay": "hello", "control": "system_host_name"}
    for section, field in names.items():
        file.write_text(f'[{section}]\n{field} = "nosuch host"\n')
        assert problems(file) == [
            f"{section}.{field}: 'nosuch host' is no host name such as smtp.example.com"
        ]
        for bad in ("mta_1.example", "_"):
            file.write_text(f'[{section}]\n{field} = "{bad}"\n')
            [problem] = problems(file)
            assert problem.startswith(f"{section}.{field}: {bad!r}"), problem
            assert "letters, digits and hyphens only" in problem or bad == "_"
        file.write_text(f'[{section}]\n{field} = "192.0.2.1"\n')
        assert "is no host name" in problems(file)[0], "an address stands in brackets (RFC 5321)"
        for good in ("", "localhost", "mta-1.example", "[192.0.2.1]", "bücher.example"):
            file.write_text(f'[{section}]\n{field} = "{good}"\n', encoding="utf-8")
            load(file, {})


def test_contradictions_are_told(file: Path) -> None:
    file.write_text(
        '[gateway]\ncertificate = "/nowhere.pem"\n'
        '[[gateway.listeners]]\nrequire_tls = true\n[[gateway.listeners]]\ntls = "implicit"\n'
        '[relay]\nbudget = 30.0\npassword = "x"\n[ledger]\nbudget = 40.0\n'
    )
    found = "\n".join(problems(file))
    for part in (
        "gateway.certificate, gateway.key: needed", "gateway.certificate: /nowhere.pem does not",
        "gateway.listeners[0].require_tls", "relay.budget: must be below",
        "ledger.budget: must be below", "relay.login: missing",
    ):  # fmt: skip
        assert part in found


def test_a_share_of_the_day_is_a_known_provider_s(file: Path) -> None:
    file.write_text("[warmup.provider_shares]\ngmial = 0.5\natt = 0.5\n")
    (problem,) = problems(file)
    assert problem.startswith("warmup.provider_shares.gmial: no such provider; known: apple, ")


def test_networks_are_read_at_the_start(file: Path) -> None:
    file.write_text(
        '[gateway]\nplain_auth_networks = ["::ffff:10.0.0.0/104"]\n'
        'proxy_networks = ["10.0.0.1/8"]\n'
        '[control]\nmetrics_networks = ["10.0.0.0/8", "prometheus"]\n'
    )
    assert problems(file) == [
        "gateway.proxy_networks: '10.0.0.1/8' is not a network such as 10.0.0.0/8",
        "control.metrics_networks: 'prometheus' is not a network such as 10.0.0.0/8",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        *("*", "null", "console.example", "https://console.example/", "https://*.example"),
        *("HTTPS://console.example", "https://Console.example", "https://a@console.example"),
        *("https://console.example:443", "http://console.example:80", "ftp://console.example"),
        *("https://console.example\\n", "https://", "https://console.example:0x"),
        *("https://console.example:65536", "https://console.example:99999"),
        *("http://[::1]:65536", "https://console.example:0", "https://console.example:0443"),
    ],
)
def test_an_origin_is_one_as_a_browser_writes_it(file: Path, wrong: str) -> None:
    right = '"https://console.example", "http://127.0.0.1:3000", "http://[::1]:65535"'
    file.write_text(f'[control]\nallowed_origins = [{right}, "{wrong}"]\n')
    [problem] = problems(file)
    assert problem.startswith("control.allowed_origins: ")
    assert "is not an origin as a browser writes it, such as https://console.example" in problem


@pytest.mark.parametrize("wrong", ["postmaster", "a@b@c", "a b@x.test", "a@-x.test", "<a@x.test>"])
def test_the_postmaster_has_an_address(file: Path, wrong: str) -> None:
    file.write_text(f'[gateway]\npostmaster = "{wrong}"\n')
    assert problems(file) == [
        f"gateway.postmaster: {wrong!r} is no address such as postmaster@example.com"
    ]


@pytest.mark.parametrize("text", ["not toml", "gateway = 5\n", "\x00"])
def test_what_is_no_configuration_is_one_clear_error(file: Path, text: str) -> None:
    file.write_text(text)
    assert len(problems(file)) == 1


def test_a_missing_file_is_an_error_when_it_was_named(file: Path) -> None:
    assert str(file) in problems(file)[0]
    assert str(file) in problems(None, {"SENDGATE_CONFIG": str(file)})[0]


def test_the_environment_wins_over_dotenv_wins_over_the_file(file: Path) -> None:
    file.write_text("[gateway]\nworkers = 2\nmax_sessions = 50\nauth_attempts = 4\n")
    Path(".env").write_text(
        "# a comment\nexport SENDGATE_GATEWAY_WORKERS='5'\nSENDGATE_GATEWAY_MAX_SESSIONS=60\n"
    )
    settings = load(file, {"SENDGATE_GATEWAY_WORKERS": "7"})
    gateway = settings.gateway
    assert (gateway.workers, gateway.max_sessions, gateway.auth_attempts) == (7, 60, 4)


def test_names_users_know_act_and_ours_win(file: Path) -> None:
    del file
    settings = load(
        None,
        {
            "REDIS_URL": "redis://old/0",
            "DATABASE_URL": "postgresql://u:p@db/x",
            "WARMUP_WEEK2_QUOTA": "150",
            "WARMUP_WEEK6_QUOTA": "9000",
            "WARMUP_GLOBAL_HOURLY_LIMIT": "1000",
            "SENDGATE_LEDGER_URL": "redis://:secret@new/0",
            "SENDGATE_GATEWAY_PROXY_NETWORKS": "10.0.0.0/8, 192.0.2.0/24",
            "SENDGATE_WARMUP_PROVIDER_SHARES": "gmail=0.5,yahoo=0.25",
            "UNRELATED": "x",
        },
    )
    assert settings.ledger.url == "redis://:secret@new/0"
    assert settings.warmup.weeks == (50, 150, 500, 1500, 5000, 9000)
    assert settings.warmup.global_hourly_limit == 1000
    assert settings.warmup.provider_shares == {"gmail": 0.5, "yahoo": 0.25}
    assert settings.gateway.proxy_networks == ("10.0.0.0/8", "192.0.2.0/24")


def test_secrets_are_masked_when_shown(file: Path) -> None:
    del file
    settings = load(
        None,
        {
            "REDIS_URL": "redis://user:hunter2@h:1/0",
            "SENDGATE_RELAY_LOGIN": "gate",
            "SENDGATE_RELAY_PASSWORD": "hunter3",
            "SENDGATE_CONTROL_PMTA_API_KEY": "hunter4_" * 4,
        },
    )
    shown = str(describe(settings))
    assert "hunter" not in shown
    assert "redis://***@h:1/0" in shown


def test_every_field_has_a_variable_and_old_names_are_explained() -> None:
    paths = variable_paths()
    assert paths["SENDGATE_GATEWAY_WORKERS"] == ("gateway", "workers")
    assert paths["REDIS_URL"] == ("ledger", "url")
    said = without_effect({"CELERY_BROKER_URL": "x", "CELERY_FOO": "y", "WARMUP_WORKER_ID": "1"})
    assert len(said) == 3
    assert without_effect({"PATH": "/bin"}) == []


def test_days_of_detailed_figures_act_by_their_old_name(file: Path) -> None:
    name, own = "WARMUP_METRICS_RETENTION_DAYS", "SENDGATE_STATISTICS_DETAIL_KEPT"
    assert load(None, {name: "7"}).statistics.detail_kept == 7 * 86_400
    assert load(None, {name: "7", own: "172800"}).statistics.detail_kept == 172_800
    file.write_text("[statistics]\ndetail_kept = 100000.0\n")
    assert load(file, {name: "9"}).statistics.detail_kept == 9 * 86_400
    for wrong in ("0", "soon", "-1", "1.5"):
        assert [line for line in problems(None, {name: wrong}) if name in line], wrong


def test_the_bot_and_its_chat_act_by_their_old_names_and_go_together(file: Path) -> None:
    del file
    bot = {"TELEGRAM_BOT_TOKEN": "123456:ABC-def", "TELEGRAM_CHAT_ID": "-100"}
    alerts = load(None, bot).alerts
    assert (alerts.telegram_token, alerts.telegram_chat) == ("123456:ABC-def", "-100")
    shown = describe(load(None, bot))["alerts"]
    assert "ABC-def" not in str(shown)
    for name in bot:
        (said,) = problems(None, {name: bot[name]})
        assert "go together" in said
    hook = {"SENDGATE_ALERTS_WEBHOOK_URL": "secret"}
    assert problems(None, hook) == ["alerts.webhook_url: expected a URL such as https://host/path"]
    mail = {"SENDGATE_ALERTS_MAIL_SERVER": "mx"}
    assert [line.partition(":")[0] for line in problems(None, mail)] == [
        *("alerts.mail_server", "alerts.mail_from", "alerts.mail_to")
    ]


def test_what_an_older_stack_said_about_sending_changes_no_bound_of_ours(file: Path) -> None:
    """20 sends at a time is a user's number for his senders; as `gateway.max_sessions` it turned
    980 of 1,000 clients away."""
    del file
    names = {"BATCH_SIZE": "50", "MAX_CONCURRENT": "20", "BATCH_DELAY_MS": "250"}
    environ = {f"WARMUP_{name}": value for name, value in names.items()}
    settings = load(None, environ)
    hold = settings.hold
    assert (hold.claim, hold.concurrent, hold.claim_delay) == (50, 20, 0.25)
    assert (settings.ledger, settings.gateway) == (Settings().ledger, Settings().gateway)
    assert without_effect(environ) == []
    assert load(None, {**environ, "SENDGATE_HOLD_CLAIM_DELAY": "2"}).hold.claim_delay == 2.0
    for name in environ:
        assert [line for line in problems(None, {name: "x"}) if name in line], name


def test_what_an_older_stack_knew_and_is_not_needed_here_says_what_is() -> None:
    names = ("CRON_INTERVAL_MINUTES", "ENABLE_DETAILED_METRICS", "DISTRIBUTED_MODE", "WORKER_ID")
    environ = {f"WARMUP_{name}": "1" for name in (*names, "WORKER_COUNT")} | {"DIRECT_URL": "x"}
    said = without_effect(environ)
    assert {line.partition(":")[0] for line in said} == set(environ)


def test_limits_of_a_minute_and_an_hour_act_by_their_old_names(file: Path) -> None:
    del file
    names = {"GLOBAL_MINUTE": "200", "GLOBAL_HOURLY": "10000", "USER_HOURLY": "500"}
    warmup = load(None, {f"WARMUP_{name}_LIMIT": value for name, value in names.items()}).warmup
    limits = warmup.global_minute_limit, warmup.global_hourly_limit, warmup.user_hourly_limit
    assert limits == (200, 10_000, 500)
    wrong = {"SENDGATE_WARMUP_PROVIDER_HOURLY_LIMITS": "gmial=5"}
    assert "warmup.provider_hourly_limits.gmial: no such provider" in problems(None, wrong)[0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[hold]\nkeys = ["k1:short"]\n', "hold.keys: each is ID:KEY"),
        ("[hold]\ncommit_budget = 9.0\n", "hold.commit_budget: must fit into"),
        ("[hold]\nlease = 20.0\n", "hold.lease: must be above relay.grant_lifetime"),
        ("[hold]\nprobe_gap = 600.0\n", "hold.probe_gap: must be above relay.late_reply"),
        ("[hold]\nevents_kept = 60.0\n", "hold.events_kept: must not be below"),
        ("[ledger]\nlease = 50.0\n", "ledger.lease: must be above ledger.timeout, and below"),
        ("[ledger]\nlease = 2.0\n", "ledger.lease: must be above ledger.timeout, and below"),
        (
            "[[accounting.streams]]\nserver = 'a'\npath = '/x'\n" * 2,
            "accounting.streams: each server has one stream",
        ),
    ],
)
def test_a_hold_that_cannot_work_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    file = tmp_path / "sendgate.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load(file, {})
    assert any(problem.startswith(wanted) for problem in refused.value.problems)
