"""TLS before servers that speak plainly, by a root of trust of this run's own, and a proxy that
leads everybody there.
"""

import ipaddress
import socket
import ssl
import tempfile
import threading
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NAMES = [
    x509.DNSName("secretsmanager.eu-west-1.amazonaws.com"),
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
]

Key = ec.EllipticCurvePrivateKey


def certificate(name: str, key: Key, issuer: str, signer: Key) -> x509.Certificate:
    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    now = datetime.now(timezone.utc)
    is_root = name == issuer
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .sign(signer, hashes.SHA256())
    )


def trust() -> tuple[str, ssl.SSLContext]:
    """A root of trust, and a server that it vouches for."""
    root, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    vouched = certificate("server", server, "root", root)
    secret = server.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(secret + vouched.public_bytes(Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return certificate("root", root, "root", root).public_bytes(Encoding.PEM).decode(), context


def pipe(source: socket.socket, sink: socket.socket) -> None:
    # Either side may hang up while the other is read.
    try:
        while part := source.recv(1 << 16):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def join(client: socket.socket, target: int) -> None:
    with client, socket.create_connection(("127.0.0.1", target)) as server:
        threading.Thread(target=pipe, args=(client, server), daemon=True).start()
        pipe(server, client)


def accepting(serve: object) -> int:
    """The port at which each connection is served by a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def before(context: ssl.SSLContext, target: int) -> int:
    """The port at which TLS ends."""

    def serve(client: socket.socket) -> None:
        # A client that does not trust the certificate closes the connection.
        try:
            secured = context.wrap_socket(client, server_side=True)
        except OSError:
            return
        join(secured, target)

    return accepting(serve)


def proxy(target: int, heads: list[str]) -> int:
    """Every tunnel leads to `target`; what is asked for is written down."""

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1 << 16)
        heads.append(head.decode("latin-1"))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        join(client, target)

    return accepting(serve)
