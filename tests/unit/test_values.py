"""What an operator may write: each kind with what is taken, as what, and what is refused."""

from collections.abc import Callable

import pytest

from control.problem import RefusedError
from control.values.host import domain_name, greeting_name, reachable_host
from control.values.ip import sending_ip
from control.values.mailbox import mail_address, sender
from control.values.name import RESERVED, login_name, new_name
from control.values.network import source_network, warning

Check = Callable[[str, str], str]


def ip(field: str, text: str) -> str:
    return sending_ip(text, field)


def network(field: str, text: str) -> str:
    return source_network(text, field)


@pytest.mark.parametrize(
    ("check", "text", "found"),
    [
        (new_name, "acme-2", "acme-2"),
        (new_name, "2acme", "2acme"),
        (login_name, "ünal@acme.example", "ünal@acme.example"),
        (ip, "192.0.2.1", "192.0.2.1"),
        (ip, "10.0.0.1", "10.0.0.1"),
        (ip, "2001:DB8:0::1", "2001:db8::1"),
        (ip, "fd00::1", "fd00::1"),
        (domain_name, "Bücher.Example.", "xn--bcher-kva.example"),
        (domain_name, "a_b.example.com", "a_b.example.com"),
        (greeting_name, "MTA1.Example.com", "mta1.example.com"),
        (reachable_host, "pmta", "pmta"),
        (reachable_host, "pmta_1.internal", "pmta_1.internal"),
        (reachable_host, "127.0.0.1", "127.0.0.1"),
        (reachable_host, "::1", "::1"),
        (mail_address, "News@Bücher.example", "news@xn--bcher-kva.example"),
        (mail_address, "o'neil+x@a.example", "o'neil+x@a.example"),
        (mail_address, '"a@b"@x.example', '"a@b"@x.example'),
        (sender, "a.example", "a.example"),
        (network, "10.0.0.0/8", "10.0.0.0/8"),
        (network, "::1", "::1/128"),
    ],
)
def test_what_is_right_is_taken_in_its_usual_spelling(check: Check, text: str, found: str) -> None:
    assert check("field", text) == found


@pytest.mark.parametrize(
    ("check", "texts"),
    [
        (new_name, [*sorted(RESERVED), "Default", "NONE", "1", "007"]),
        (login_name, ["a b", "a\x00", "a\n", "\u2028"]),
        (
            ip,
            [
                "999.1.1.1",
                "1.2.3",
                "0.0.0.0",
                "0.0.0.5",
                "127.0.0.1",
                "224.0.0.1",
                "240.0.0.1",
                "::",
            ],
        ),
        (
            ip,
            ["255.255.255.255", "::1", "169.254.1.1", "fe80::1", "ff02::1", "::ffff:192.0.2.1"],
        ),
        (ip, ["2001:db8::1%eth0", "192.0.2.1/32", "x"]),
        (
            ip,
            ["", " 192.0.2.1", "192.0.2.1\n"],
        ),
        (
            domain_name,
            ["", "example", "999.1.1.1", "a..b", "-a.example", "a b.example", "[1.2.3.4]"],
        ),
        (domain_name, ["a" * 64 + ".example", ".".join(["a" * 60] * 5), "a\x00.example", "a@b.c"]),
        (greeting_name, ["mta_1.example.com", "mta", "10.0.0.1", "[10.0.0.1]", "", "a b.example"]),
        (
            reachable_host,
            ["", " ", "999.1.1.1", "0.0.0.0", "::", "224.0.0.1", "[::1]", "a b", "a/b"],
        ),
        (mail_address, ["", "x", "@x.example", "bad@@x", "bad@@x.example", "a b@x.example", "a@x"]),
        (mail_address, ["a@b@x.example", "<a@x.example>", "a\n@x.example", "a,b@x.example"]),
        (mail_address, ["a" * 65 + "@x.example", "a@1.2.3.4", "a@" + "x" * 260 + ".example"]),
        (sender, ["bad@@x", "x", "", "*.example", "a b"]),
        (network, ["", "x", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0-10.0.0.9"]),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_its_field(check: Check, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(RefusedError) as refused:
            check("the.field", text)
        assert refused.value.status == 400
        assert [e.field for e in refused.value.errors] == ["the.field"], text
        assert refused.value.detail.startswith("the.field: ")
        assert refused.value.detail.isprintable(), text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.0.0.0/0", "every IPv4 address there is"),
        ("::/0", "every IPv6 address there is"),
        ("0.0.0.0/1", "wider than any customer's"),
        ("8.0.0.0/7", "wider than any customer's"),
        ("2000::/3", "wider than any customer's"),
        ("10.0.0.0/8", ""),
        ("2001:db8::/32", ""),
        ("192.0.2.1/32", ""),
    ],
)
def test_a_network_that_lets_everybody_in_is_told(text: str, said: str) -> None:
    found = warning(text, "acme") or ""
    assert said in found
    assert bool(found) == bool(said)
