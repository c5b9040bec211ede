"""Where a request comes from, by what proxies of ours wrote."""

import pytest
from aiohttp.test_utils import make_mocked_request

from control.api.origin import come_from
from policy.node import network

PROXY = (network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("peer", "said", "found"),
    [
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "192.0.2.9, 192.0.2.1:4711, 10.0.0.2:99", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.9, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.9, unix:, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "192.0.2.1:4711:1", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.7", "192.0.2.1", "192.0.2.7"),
    ],
)
def test_the_last_that_is_no_proxys(peer: str, said: str, found: str) -> None:
    request = make_mocked_request("GET", "/", {"X-Forwarded-For": said})
    assert come_from(request.clone(remote=peer), PROXY) == found
