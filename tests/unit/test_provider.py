"""Which provider a recipient domain belongs to: the table, written down a second time by hand."""

import tomllib
from importlib import resources

import pytest

from policy.address import normal_domain, split_address
from policy.provider import OTHER, PROVIDERS, learn, of_host, provider_of

TABLE = tomllib.loads(resources.files("policy").joinpath("providers.toml").read_text("utf-8"))

# As public `domain-macro` lines and the providers' own pages have them, not as the product has.
KNOWN = {
    "gmail": "gmail.com googlemail.com",
    "microsoft": """hotmail.be hotmail.ch hotmail.co.id hotmail.co.il hotmail.co.jp hotmail.co.kr
        hotmail.co.nz hotmail.co.th hotmail.co.za hotmail.com hotmail.com.ar hotmail.com.au
        hotmail.com.br hotmail.com.hk hotmail.com.tr hotmail.com.tw hotmail.com.vn hotmail.cz
        hotmail.de hotmail.dk hotmail.es hotmail.fi hotmail.fr hotmail.gr hotmail.it hotmail.my
        hotmail.no hotmail.ph hotmail.rs hotmail.se hotmail.sg live.at live.be live.ca live.cl
        live.cn live.co.kr live.co.uk live.co.za live.com live.com.ar live.com.au live.com.my
        live.com.ph live.com.pt live.com.sg live.de live.dk live.fr live.hk live.ie live.in live.it
        live.jp live.nl live.no live.ru live.se livemail.tw msn.com outlook.com windowslive.com
        hotmail.co.uk outlook.fr outlook.com.br outlook.co.th outlook.sk""",
    "yahoo": """yahoo.com yahoo.co.uk yahoo.de yahoo.dk yahoo.fr yahoo.gr yahoo.it yahoo.no yahoo.pl
        yahoo.se rocketmail.com y7mail.com yahoo.ca yahoo.cl yahoo.co.nz yahoo.com.ar yahoo.com.au
        yahoo.com.br yahoo.com.co yahoo.com.mx yahoo.com.pe yahoo.com.tr yahoo.com.ve ymail.com
        yahoo.com.my yahoo.com.ph yahoo.com.sg yahoo.co.th yahoo.co.id yahoo.co.in yahoo.com.vn
        yahoo.in aim.com aol.at aol.be aol.ch aol.cl aol.co.nz aol.co.uk aol.com aol.com.ar
        aol.com.au aol.com.br aol.com.co aol.com.tr aol.com.ve aol.cz aol.de aol.dk aol.es aol.fi
        aol.fr aol.hk aol.in aol.it aol.jp aol.kr aol.nl aol.pl aol.ru aol.se aol.tw aolchina.com
        aolnorge.no aolpolska.pl luckymail.com wmconnect.com cs.com myaol.jp netscape.net
        verizon.net cox.net rogers.com""",
    "yahoo-japan": "yahoo.co.jp",
    "apple": "icloud.com me.com mac.com",
    "unitedinternet": """gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.fr gmx.es gmx.it gmx.co.uk gmx.us
        gmx.eu gmx.li web.de mail.com email.com usa.com dr.com engineer.com consultant.com
        europe.com post.com writeme.com""",
    "orange": "orange.fr wanadoo.fr",
    "laposte": "laposte.net",
    "free": "free.fr aliceadsl.fr",
    "sfr": "sfr.fr neuf.fr cegetel.net club-internet.fr numericable.fr",
    "libero": "libero.it iol.it inwind.it blu.it giallo.it virgilio.it",
    "tim": "tim.it alice.it tin.it",
    "tiscali": "tiscali.it",
    "mailru": "mail.ru bk.ru inbox.ru list.ru internet.ru",
    "yandex": "yandex.ru yandex.com ya.ru yandex.kz yandex.by narod.ru",
    "rambler": "rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru rambler.ua",
    "qq": "qq.com vip.qq.com foxmail.com",
    "netease": "163.com 126.com yeah.net 188.com",
    "naver": "naver.com",
    "uol": "uol.com.br bol.com.br",
    "seznam": "seznam.cz email.cz post.cz spoluzaci.cz",
    "wp": "o2.pl wp.pl go2.pl tlen.pl",
    "onet": "onet.pl op.pl vp.pl onet.eu poczta.onet.pl",
    "interia": "interia.pl interia.eu poczta.fm",
    "comcast": "comcast.net xfinity.com",
    "spectrum": "charter.net spectrum.net twc.com roadrunner.com rr.com",
    "att": """att.net sbcglobal.net bellsouth.net ameritech.net pacbell.net swbell.net snet.net
        prodigy.net flash.net nvbell.net wans.net currently.com""",
    "bt": "btinternet.com btopenworld.com talk21.com",
    "sky": "sky.com",
    "virginmedia": "virginmedia.com ntlworld.com virgin.net blueyonder.co.uk",
    "telstra": "bigpond.com bigpond.net.au telstra.com",
    "shaw": "shaw.ca",
    "bell": "bell.net sympatico.ca",
}


@pytest.mark.parametrize("provider", KNOWN)
def test_a_public_consumer_domain_has_its_provider(provider: str) -> None:
    assert provider in PROVIDERS
    wrong = {d: provider_of(d) for d in KNOWN[provider].split() if provider_of(d) != provider}
    assert wrong == {}


def test_no_domain_stands_under_two_providers() -> None:
    listed = [domain for row in TABLE["providers"].values() for domain in row["domains"]]
    assert sorted({d for d in listed if listed.count(d) > 1}) == []


def test_no_domain_lies_below_a_name_whose_subdomains_are_another_provider_s() -> None:
    for name, row in TABLE["providers"].items():
        for parent in row.get("under", ()):
            below = [
                d
                for other, theirs in TABLE["providers"].items()
                for d in theirs["domains"]
                if d.endswith(f".{parent}") and other != name
            ]
            assert below == []


def test_every_name_of_the_table_is_a_domain_as_the_gateway_asks_for_it() -> None:
    for row in TABLE["providers"].values():
        for domain in (*row["domains"], *row.get("under", ())):
            assert normal_domain(domain) == domain


def test_every_provider_has_a_source_and_every_source_a_provider() -> None:
    used = set()
    for row in TABLE["providers"].values():
        assert row.keys() <= {"sources", "domains", "under", "hosts"}
        assert row["sources"]
        assert row["domains"]
        used |= set(row["sources"])
    assert used == TABLE["sources"].keys()
    assert (*TABLE["providers"], OTHER) == PROVIDERS


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("Anna@GMail.COM", "gmail"),
        ("anna@Hotmail.Co.Uk.", "microsoft"),
        ("anna@ＧＭＡＩＬ.com", "gmail"),  # full width: UTS 46 maps it
        ("anna@gmаil.com", OTHER),  # a Cyrillic letter: another domain
        ("anna@xn--gmil-63d.com", OTHER),
        ("anna@bücher.example", OTHER),
        ("anna@[192.0.2.1]", OTHER),
    ],
)
def test_case_and_spelling_of_a_domain_do_not_hide_its_provider(
    address: str, provider: str
) -> None:
    found = split_address(address)
    assert found is not None
    assert provider_of(found[1]) == provider


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("nc.rr.com", "spectrum"),
        ("a.b.rr.com", "spectrum"),
        ("arr.com", OTHER),
        ("rr.com.example", OTHER),
        ("mail.gmail.com", OTHER),  # a subdomain of a consumer domain is somebody else's
        ("shop.orange.fr", OTHER),
        ("exmail.qq.com", OTHER),
        ("notgmail.com", OTHER),
        ("", OTHER),
    ],
)
def test_subdomains_count_only_where_the_provider_gives_them_out(
    domain: str, provider: str
) -> None:
    assert provider_of(domain) == provider


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("aspmx.l.google.com.", "gmail"),
        ("SMTP.Google.com", "gmail"),
        ("aspmx2.googlemail.com", "gmail"),
        ("acme-example.mail.protection.outlook.com", "microsoft"),
        ("acme-example.o-v1.mx.microsoft", "microsoft"),
        ("mx-biz.mail.am0.yahoodns.net", "yahoo"),
        ("mx01.mail.icloud.com", "apple"),
        ("mx.yandex.net", "yandex"),
        ("emx.mail.ru", "mailru"),
        ("mail.protonmail.ch", "proton"),
        ("notgoogle.com", "other"),
        ("google.com.evil.example", "other"),
        ("", "other"),
    ],
)
def test_a_mail_server_names_its_provider(host: str, provider: str) -> None:
    assert of_host(host) == provider


def test_what_is_learnt_is_swapped_whole_and_never_overrules_the_file() -> None:
    try:
        learn({"acme.example": "gmail", "hotmail.com": "gmail"})
        assert provider_of("acme.example") == "gmail"
        assert provider_of("hotmail.com") == "microsoft"
        learn({"other.example": "microsoft"})
        assert provider_of("acme.example") == "other"
    finally:
        learn({})
