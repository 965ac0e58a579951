"""Whom an upstream's certificate is believed, which is a promise of ``docs/security.md``."""

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import AnyByteStream, SocketAttribute
from anyio.streams.tls import TLSListener, TLSStream
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app_server.backend.http import HttpClient, NotTrusted

Upstream = Callable[[str], AbstractAsyncContextManager[tuple[str, Path]]]
DEADLINE = 10


class Listener(TLSListener):
    """That a client does not believe it is what the tests are about."""

    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: AnyByteStream) -> None:
        await anyio.aclose_forcefully(stream)


def certificate(path: Path, address: str) -> tuple[Path, Path]:
    """One that vouches for itself, of somebody with this address; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upstream")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = path / "upstream.pem", path / "upstream.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    """An upstream on 127.0.0.1 whose certificate is for the address that is given; its URL, and the certificate."""

    @asynccontextmanager
    async def running(address: str) -> AsyncIterator[tuple[str, Path]]:
        public, private = certificate(tmp_path, address)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(public, private)

        async def answer(stream: TLSStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as plain, anyio.create_task_group() as tasks:
            tasks.start_soon(Listener(plain, context, standard_compatible=False).serve, answer)
            port = plain.extra(SocketAttribute.local_port)  # noqa: S610 - no Django
            yield f"https://127.0.0.1:{port}/", public
            tasks.cancel_scope.cancel()

    return running


async def fetch(url: str, ca_certificate: Path | None) -> object:
    client = HttpClient(None if ca_certificate is None else str(ca_certificate))
    try:
        return await client.fetch_json(url, {"Authorization": "Bearer sk-canary"}, DEADLINE)
    finally:
        await client.aclose()


async def test_a_certificate_that_nobody_vouches_for_is_refused(upstream: Upstream) -> None:
    async with upstream("127.0.0.1") as (url, _):
        with pytest.raises(NotTrusted) as refused:
            await fetch(url, None)
    assert refused.value.reason == "certificate verify failed"


async def test_a_certificate_of_a_ca_that_the_user_trusts_is_believed(upstream: Upstream) -> None:
    async with upstream("127.0.0.1") as (url, ca):
        assert await fetch(url, ca) == {}


async def test_a_certificate_of_somebody_else_is_refused_whoever_vouches_for_it(upstream: Upstream) -> None:
    async with upstream("127.0.0.2") as (url, ca):
        with pytest.raises(NotTrusted):
            await fetch(url, ca)
