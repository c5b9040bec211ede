"""An IPv4 node has one address, however a socket or a balancer spells it."""

import pytest

from control.pmta.config import pmta_config
from control.pmta.generator.terms import Terms
from control.values.network import source_network
from policy.node import network, node, node_name, within
from tests.support.gateway.generations import generation


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("::1", "::1"),
        ("::192.0.2.1", "::c000:201"),  # IPv4-compatible is something else (RFC 4291 2.5.5.1)
        ("/run/balancer:1", "/run/balancer:1"),
        ("", ""),
    ],
)
def test_a_node_has_one_name(text: str, name: str) -> None:
    assert node_name(text) == name


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_mapped_network_is_the_ipv4_one(text: str, meant: str) -> None:
    assert str(network(text)) == meant


def test_host_bits_of_a_mapped_network_are_seen() -> None:
    with pytest.raises(ValueError, match="host bits"):
        network("::ffff:10.0.0.1/104")
    assert str(network("::ffff:10.0.0.1/104", strict=False)) == "10.0.0.0/8"


def test_within_compares_nodes() -> None:
    inside = (network("10.0.0.0/8"), network("2001:db8::/32"))
    assert within("::ffff:10.1.2.3", inside)
    assert within("10.1.2.3", inside)
    assert within("2001:db8::5", inside)
    assert not within("::ffff:11.1.2.3", inside)
    assert not within("nobody", inside)
    assert not within("10.1.2.3", (network("::/0"),)), "an IPv4 node is in no IPv6 network"
    assert str(node("::ffff:10.1.2.3")) == "10.1.2.3"


def test_networks_that_operators_name_are_kept_as_ipv4() -> None:
    assert source_network("::ffff:10.0.0.0/104") == "10.0.0.0/8"
    gateways = ("::ffff:192.0.2.7", "::ffff:10.0.0.0/104")
    text = pmta_config(generation(), Terms(gateways=gateways, accounting="/var/log/pmta")).whole()
    assert "<source 192.0.2.7>" in text
    assert "<source 10.0.0.0/8>" in text
