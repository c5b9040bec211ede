"""The stack's settings survive the way through their file."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.embedded.servers.datadir import DEFAULT, Addresses
from control.embedded.servers.error import LocalPartError
from control.embedded.servers.ports import RememberedPort
from control.embedded.stack.effective import effective
from control.embedded.stack.options import Options, pmta_address
from control.embedded.stack.run import about
from control.embedded.stack.stack import Running
from control.embedded.stack.toml import to_toml
from control.problem import RefusedError
from gateway.accept.binding import bind
from settings.accounting import Accounting, Stream
from settings.load import load
from settings.model import Listener, Settings

NASTY = 'a"b\\c\n\t#é\x7f'


@pytest.mark.parametrize("standin", [True, False])
def test_up_says_where_everything_is_and_what_to_type_next(tmp_path: Path, standin: bool) -> None:
    data = tmp_path / "a place"
    addresses = Addresses(
        smtp="127.0.0.1:2587",
        api="http://127.0.0.1:8000",
        token_file=str(data / "admin-token"),
        pmta="127.0.0.1:2525",
    )
    nobody: Any = object()
    running = Running(addresses, nobody, "sgt_secret", nobody, nobody if standin else None)
    said = about(running, Options(data_dir=data))
    text = "\n".join(said)
    for part in ("127.0.0.1:2587", "http://127.0.0.1:8000", "127.0.0.1:2525", str(data / "log")):
        assert part in text
    assert f"token in {data / 'admin-token'}" in text
    assert "sgt_secret" not in text
    assert f"sendgate --data-dir '{data}' status" in text
    assert "console   http://127.0.0.1:8000/" in text
    assert f"sendgate --data-dir '{data}' user add NAME --role admin" in text
    assert ("its stand-in" in text) == ("tenant list" in text) == standin
    assert ("tenant add" in text) == (not standin)
    here = about(running, Options(data_dir=DEFAULT))
    assert "next: sendgate status" in here


def test_settings_survive_their_file(tmp_path: Path) -> None:
    plain = Settings()
    settings = msgspec.structs.replace(
        plain,
        gateway=msgspec.structs.replace(
            plain.gateway,
            run_dir=NASTY,
            listeners=(Listener(port=1), Listener(host="::1", port=2, proxy_protocol=True)),
        ),
        accounting=Accounting(streams=(Stream(server="pmta1", path=NASTY),)),
        warmup=msgspec.structs.replace(
            plain.warmup, weeks=(1, 2), provider_shares={"gmail": 0.5}, user_hourly_limit=7
        ),
    )
    file = tmp_path / "sendgate.toml"
    file.write_text(to_toml(settings), encoding="utf-8")
    assert load(file, {"SENDGATE_DOTENV": "/nonexistent"}) == settings


def test_the_stand_ins_accounting_is_read_beside_other_servers(tmp_path: Path) -> None:
    def streams(*configured: Stream, file: Path | None) -> tuple[Stream, ...]:
        return effective(
            msgspec.structs.replace(Settings(), accounting=Accounting(streams=configured)),
            Options(data_dir=tmp_path),
            root=tmp_path,
            smtp_port=1,
            api_port=2,
            admin_port=3,
            valkey=None,
            postgres=None,
            pmta_config=tmp_path / "conf",
            pmta_keys=None,
            reload_url=None,
            accounting=file,
        ).accounting.streams

    file, mine = tmp_path / "sendgate.csv", Stream(server="pmta1", path="/mine.csv")
    other = Stream(server="pmta2", path="/other.csv")
    assert streams(other, file=file) == (other, Stream(server="pmta1", path=str(file)))
    assert streams(mine, file=file) == (mine,), "the user's word goes first"
    assert streams(other, file=None) == (other,)


def test_pmta_addresses() -> None:
    assert str(pmta_address("192.0.2.1:2525", "--pmta")) == "192.0.2.1:2525"
    assert pmta_address("[2001:db8::1]:25", "--pmta").host == "2001:db8::1"
    for wrong in ("host", "host:", ":25", "host:0", "host:70000", "host:x"):
        with pytest.raises(RefusedError) as refused:
            pmta_address(wrong, "ADDRESS")
        assert refused.value.line().startswith(f"ADDRESS: {wrong!r} is not HOST:PORT")


def test_a_free_port_is_kept(tmp_path: Path) -> None:
    first = RememberedPort(tmp_path / "smtp.port", 0, "--smtp-port").resolve()
    assert RememberedPort(tmp_path / "smtp.port", 0, "--smtp-port").resolve() == first


def test_a_port_is_kept_from_others_until_its_server_listens(tmp_path: Path) -> None:
    """A gateway once found its port taken: another stack had chosen it in the seconds between."""
    port = RememberedPort(tmp_path / "smtp.port").resolve()
    code = (
        "from control.embedded.servers import ports\n"
        f"ports.LOWEST, ports.HIGHEST = {port}, {port + 1}\n"
        "try: ports.choose()\n"
        "except ports.LocalPartError: print('held')\n"
    )
    other = [sys.executable, "-c", code]
    assert subprocess.run(other, capture_output=True, check=True).stdout == b"held\n"
    with (
        bind("127.0.0.1", port),  # as the gateway does
        pytest.raises(LocalPartError, match=f"{port}.*taken"),
    ):
        RememberedPort(tmp_path / "other.port", port).resolve()


def test_a_taken_port_is_named_with_its_option(tmp_path: Path, unused_tcp_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_tcp_port))
        taken.listen()
        with pytest.raises(LocalPartError, match=rf"{unused_tcp_port}.*--smtp-port"):
            RememberedPort(tmp_path / "smtp.port", unused_tcp_port, "--smtp-port").resolve()
