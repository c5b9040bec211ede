"""The peers of the benchmark deliver what they accept: one that does not would look fast."""

import socket
import subprocess

import pytest

from loadtest import postfix
from loadtest.benchmark import haraka, peers
from tests.support.pmta.sink import running_sink

MESSAGES = 60

pytestmark = pytest.mark.postfix
needs_postfix = pytest.mark.skipif(bool(postfix.unable()), reason=postfix.unable() or "there")


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _push(port: int, *options: str) -> None:
    command = ["smtp-source", "-f", "news@bench.example", "-t", "you@dest.example", "-s", "5"]
    done = subprocess.run(
        [*command, *options, "-m", str(MESSAGES), f"127.0.0.1:{port}"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@needs_postfix
@pytest.mark.parametrize("options", [(), ("-d",)], ids=["each", "kept"])
def test_postfix_as_proxy_delivers_before_it_answers(options: tuple[str, ...]) -> None:
    port = _free_port()
    with running_sink() as sink, postfix.postfix(port, postfix.proxy(sink.port)):
        _push(port, *options)
    assert sink.counted["taken"] == MESSAGES


@needs_postfix
def test_postfix_as_queue_delivers_without_a_complaint() -> None:
    port = _free_port()
    with (
        running_sink() as sink,
        postfix.postfix(port, postfix.queueing(sink.port)) as root,
    ):
        _push(port, "-d")
        peers.drained(root)()
        log = (root / "log" / "maillog").read_text(encoding="utf-8", errors="replace")
    assert sink.counted["taken"] == MESSAGES
    # A service it misses costs it a second each time it asks, and the comparison its sense.
    assert "warning:" not in log


def test_haraka_forwards_before_it_answers() -> None:
    if why := haraka.unable(haraka.cache_folder()) or postfix.unable():
        pytest.skip(why)
    port = _free_port()
    with running_sink() as sink, haraka.haraka(haraka.cache_folder(), port, sink.port, 1):
        _push(port, "-d")
    assert sink.counted["taken"] == MESSAGES


def test_a_peer_that_cannot_run_has_a_reason(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("nothing")
    monkeypatch.setenv("PATH", str(folder))
    found = peers.skipped(folder, ("postfix proxy", "haraka"))
    assert "apt-get install postfix" in found["postfix proxy"]
    assert found["postfix queue"] == "not asked for"
    assert "node missing" in found["haraka"]
