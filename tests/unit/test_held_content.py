"""What the gateway packed, control opens; no other key, no other message's id."""

import base64

import pytest

from control.held.content import opened, shown
from control.problem import RefusedError
from gateway.hold.keep.content import Contents

HEAD, BODY = b"Subject: x\r\n", b"\r\nwords\r\n"


def key(name: str, letter: bytes) -> str:
    return f"{name}:" + base64.urlsafe_b64encode(letter * 32).decode()


def test_a_sealed_content_opens_with_its_key_and_for_its_message_only() -> None:
    keys = (key("new", b"n"), key("old", b"o"))
    for sealing in ((), keys, keys[::-1]):
        codec, data = Contents(sealing).pack("m1", HEAD, BODY)
        assert opened("m1", codec, data, keys) == (HEAD, BODY)
    codec, data = Contents(keys).pack("m1", HEAD, BODY)
    for name, given in (("m2", keys), ("m1", (key("new", b"x"),)), ("m1", (key("old", b"o"),))):
        with pytest.raises(RefusedError):
            opened(name, codec, data, given)
    with pytest.raises(RefusedError, match="codec"):
        opened("m1", "lzma", data, keys)
    with pytest.raises(RefusedError, match="unpacked"):
        opened("m1", "zstd", b"rubbish", ())


def test_the_content_is_given_only_when_it_is_asked_for() -> None:
    assert shown("m1", HEAD, BODY, whole=False).content is None
    assert shown("m1", HEAD, BODY, whole=True).content == HEAD + BODY
