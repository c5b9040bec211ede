"""When the certificate that clients are shown ends: for alerts, before clients refuse it."""

from pathlib import Path

import pytest
from cryptography import x509

from settings.model import Gateway, Listener
from settings.tls import certificate_life
from tests.support.certificates import make_certificate

TLS = (Listener(host="127.0.0.1", port=465, tls="implicit"),)


def test_the_end_of_the_servers_own_certificate(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    own, signer = files.certificate.read_bytes(), make_certificate(other).certificate.read_bytes()
    chain = tmp_path / "chain.pem"
    chain.write_bytes(own + signer)
    told = certificate_life(Gateway(listeners=TLS, certificate=str(chain), key=str(files.key)))
    read = x509.load_pem_x509_certificate(own)
    assert told == (read.not_valid_before_utc, read.not_valid_after_utc)


def test_no_listener_with_tls_has_no_end() -> None:
    assert certificate_life(Gateway(listeners=(Listener(host="127.0.0.1", port=25),))) is None


def test_a_file_without_one_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="PEM"):
        certificate_life(Gateway(listeners=TLS, certificate=str(empty), key=str(empty)))
