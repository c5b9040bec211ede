"""STARTTLS at the stand-in, with a certificate made for the test."""

import asyncio
import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire


def certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pmta.test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (directory / "cert.pem").write_bytes(signed.public_bytes(pem))
    (directory / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
    return directory / "cert.pem", directory / "key.pem"


async def test_starttls_starts_the_session_afresh(tmp_path: Path) -> None:
    async with StandIn.start(tls=certificate(tmp_path)) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        # The NOOP behind STARTTLS was said in clear: it must not be answered inside TLS.
        wire.say("STARTTLS\r\nNOOP\r\n")
        assert (await wire.reply()).startswith("220")
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        context.check_hostname = False
        async with asyncio.timeout(5):
            await wire.writer.start_tls(context)
        assert (await wire.ask("MAIL FROM:<a@t.test>")).startswith("503")
        assert (await wire.ask("EHLO client.test")).startswith("250")
        assert (await wire.ask("STARTTLS")).startswith("503")
        assert (await wire.send("b@gmail.test")).startswith("250")
        await wire.close()
