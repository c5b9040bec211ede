"""`sendgate seed` sets up the two tenants, and running it again changes nothing."""

import msgspec
import pytest

from control.parts import Parts
from tests.support.control.core import TOKEN, Api, Command


async def test_it_is_safe_to_run_twice(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    found = msgspec.json.decode(await sendgate("seed", "--count", "2", "--json"))
    assert [(one["tenant"], one["added"]) for one in found] == [("sos-expat", 2), ("ulixai", 2)]
    assert all(len(one["password"]) > 20 for one in found)
    _, ips = await api("GET", "/api/v2/ips")
    assert [(one["vmta"], one["pools"], one["quota"]) for one in ips] == [
        ("vmta-sos-1", ["sos-expat-pool"], 50),
        ("vmta-sos-2", ["sos-expat-pool"], 50),
        ("vmta-ulixai-1", ["ulixai-pool"], 50),
        ("vmta-ulixai-2", ["ulixai-pool"], 50),
    ]
    before = await core.publisher.current()
    text = await sendgate("seed", "--count", "2")
    assert "sos-expat: 0 domains added, 2 were there" in text
    assert "password" not in text
    assert await core.publisher.current() == before
    # One that was broken off goes on where it was.
    assert "1 domain added, 2 were there" in await sendgate("seed", "--count", "3")
    await sendgate("seed", "--sos-ips", "198.51.100.0/30", code=2)
