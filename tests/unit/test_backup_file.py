"""The sealed file: what was changed, moved, left out or cut off is found, and a wrong key told."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from control.backup.entries import Begin, End, Writer, read
from control.backup.keeping import name_for, superseded
from control.backup.key import Key, new_key, read_key
from control.backup.sealing import CHUNK, MAGIC, BrokenBackupError, Sealer, unsealed
from control.problem import RefusedError

KEY = Key(b"k" * 32, passphrase=False)
HEADER = len(MAGIC) + 1 + 32 + 32
SEALED = CHUNK + 16
CONTENT = bytes(range(256)) * 4096 * 3 + b"end"
"""Three whole chunks and three octets."""


def sealed(content: bytes = CONTENT, key: Key = KEY) -> bytes:
    file = io.BytesIO()
    sealer = Sealer(file, key)
    for at in range(0, len(content), 100_000):
        sealer.write(content[at : at + 100_000])
    sealer.finish()
    return file.getvalue()


def opened(octets: bytes, key: Key = KEY) -> bytes:
    return b"".join(unsealed(io.BytesIO(octets), key))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, len(CONTENT)])
def test_what_is_sealed_comes_back(size: int) -> None:
    assert opened(sealed(CONTENT[:size])) == CONTENT[:size]


def chunk(octets: bytes, number: int) -> bytes:
    return octets[HEADER + number * SEALED : HEADER + (number + 1) * SEALED]


def spoilt(how: str) -> bytes:
    whole = bytearray(sealed())
    parts = [chunk(bytes(whole), number) for number in range(4)]
    head = bytes(whole[:HEADER])
    match how:
        case "a bit":
            whole[HEADER + 2 * SEALED + 7] ^= 1
            return bytes(whole)
        case "the salt":
            whole[len(MAGIC) + 1] ^= 1
            return bytes(whole)
        case "cut in a chunk":
            return bytes(whole[:-5])
        case "cut between chunks":
            return head + b"".join(parts[:3])
        case "no chunk":
            return head
        case "another order":
            return head + parts[1] + parts[0] + parts[2] + parts[3]
        case "one left out":
            return head + parts[0] + parts[2] + parts[3]
        case "one twice":
            return head + parts[0] + parts[0] + b"".join(parts[1:])
        case "of another file":
            return head + parts[0] + chunk(sealed(), 1) + parts[2] + parts[3]
        case "something behind":
            return bytes(whole) + b"x"
    raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    [
        *("a bit", "the salt", "cut in a chunk", "cut between chunks", "no chunk"),
        *("another order", "one left out", "one twice", "of another file", "something behind"),
    ],
)
def test_what_was_changed_is_found(how: str) -> None:
    with pytest.raises(BrokenBackupError):
        opened(spoilt(how))


def test_a_wrong_key_is_told_from_damage() -> None:
    with pytest.raises(BrokenBackupError, match="key is not the one"):
        opened(sealed(), Key(b"x" * 32, passphrase=False))
    with pytest.raises(BrokenBackupError, match="none of that kind"):
        opened(sealed(), Key(b"a passphrase", passphrase=True))
    with pytest.raises(BrokenBackupError, match=r"octets from \d+ on"):
        opened(spoilt("a bit"))
    with pytest.raises(BrokenBackupError, match="no backup"):
        opened(b"PGDMP" + b"x" * 1000)


def test_a_passphrase_opens_what_it_sealed() -> None:
    phrase = Key(b"correct horse battery", passphrase=True)
    file = sealed(b"content", phrase)
    assert opened(file, phrase) == b"content"
    with pytest.raises(BrokenBackupError, match="key is not the one"):
        opened(file, Key(b"correct horse batterY", passphrase=True))


def test_a_header_may_not_ask_for_more_memory_than_there_is() -> None:
    file = bytearray(sealed(b"", Key(b"correct horse battery", passphrase=True)))
    file[len(MAGIC)] = 40
    with pytest.raises(BrokenBackupError):
        opened(bytes(file), Key(b"correct horse battery", passphrase=True))


def test_entries_come_back_with_their_sums() -> None:
    file = io.BytesIO()
    writer = Writer(file, KEY)
    writer.whole("first", b"one")
    writer.begin("second", 0o640)
    writer.data(CONTENT)
    writer.data(b"more")
    writer.end()
    writer.finish()
    parts = list(read(io.BytesIO(file.getvalue()), KEY))
    assert [part for part in parts if isinstance(part, Begin)] == [
        *(Begin("first"), Begin("second", 0o640))
    ]
    assert [part.size for part in parts if isinstance(part, End)] == [3, len(CONTENT) + 4]
    assert b"".join(part for part in parts if isinstance(part, bytes)) == b"one" + CONTENT + b"more"


def test_a_key_file_is_a_key_or_a_passphrase_and_nobody_elses(tmp_path: Path) -> None:
    file = tmp_path / "key"

    def kept(text: str, mode: int = 0o600) -> Path:
        file.write_text(text)
        file.chmod(mode)
        return file

    assert not read_key(kept(new_key() + "\n")).passphrase
    assert read_key(kept("correct horse battery\n")) == Key(b"correct horse battery", True)
    for text, mode, why in (
        ("short", 0o600, "fewer than 12"),
        (new_key()[:-9], 0o600, "cut short"),
        (new_key(), 0o644, "open to every user"),
        ("", 0o600, "empty"),
    ):
        with pytest.raises(RefusedError, match=why):
            read_key(kept(text, mode))


def test_what_stays_and_what_goes(tmp_path: Path) -> None:
    now = datetime(2026, 3, 31, 2, tzinfo=UTC)
    made = []
    for days in range(10):
        made.append(name_for(now - timedelta(days=days), tmp_path))
        made[-1].touch()
    (tmp_path / "sendgate.toml").touch()
    (tmp_path / "sendgate-20200101T000000Z.backup.part").touch()

    def go(**bounds: int | None) -> list[Path]:
        return superseded(tmp_path, made[0], now, **{"keep": None, "days": None, **bounds})

    assert go() == []
    assert go(keep=3) == made[:2:-1]
    assert go(days=4) == made[:3:-1]
    assert go(keep=6, days=2) == made[:5:-1]
    # Made by a clock that went back: it is the oldest, and stays.
    assert made[9] not in superseded(tmp_path, made[9], now, keep=1, days=None)
    assert name_for(now, tmp_path) not in made
