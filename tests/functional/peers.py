"""
Peers with real sockets, for the tests of the SIP transport.
"""

import datetime
import ipaddress
from collections.abc import Callable, Coroutine
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.protocol import DatagramProtocol, Protocol, connectionDone
from twisted.internet.ssl import Certificate
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from zope.interface import implementer

from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction, ITransactionUser
from siprec.sip.message import Request, makeResponse


def options(via: str, branch: str = "z9hG4bKf1", body: bytes = b"") -> bytes:
    """
    @return: an OPTIONS request.
    """
    lines = [
        "OPTIONS sip:srs@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/{via};branch={branch}",
        "Max-Forwards: 70",
        "From: <sip:src@127.0.0.1>;tag=a",
        "To: <sip:srs@127.0.0.1>",
        "Call-ID: functional",
        "CSeq: 1 OPTIONS",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


@implementer(ITransactionUser)
class User:
    """
    Hands on each request to the test, and answers 200 unless told not to.
    """

    def __init__(self) -> None:
        self.requests: DeferredQueue[IServerTransaction] = DeferredQueue()
        self.answering = True

    def requestReceived(
        self, transaction: IServerTransaction, request: Request, flow: Flow
    ) -> None:
        """
        See L{ITransactionUser}.
        """
        if self.answering:
            transaction.respond(makeResponse(request, 200, toTag=transaction.toTag))
        self.requests.put(transaction)

    def ackReceived(self, ack: Request, flow: Flow) -> None:
        """
        See L{ITransactionUser}.
        """

    def cancelReceived(self, transaction: IServerTransaction, cancel: Request) -> None:
        """
        See L{ITransactionUser}.
        """

    def transactionEnded(self, transaction: IServerTransaction) -> None:
        """
        See L{ITransactionUser}.
        """


class DatagramPeer(DatagramProtocol):
    """
    A UDP socket of the test.
    """

    def __init__(self) -> None:
        self.received: DeferredQueue[tuple[bytes, tuple[str, int]]] = DeferredQueue()

    def datagramReceived(self, data: bytes, addr: tuple[str, int]) -> None:
        """
        One datagram came.
        """
        self.received.put((data, addr))


class StreamPeer(Protocol):
    """
    A TCP connection of the test.
    """

    transport: Any

    def __init__(self) -> None:
        self.received: DeferredQueue[bytes] = DeferredQueue()
        self.closed: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        self.received.put(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        self.closed.callback(None)


def selfSigned(folder: FilePath[str]) -> tuple[str, Certificate]:
    """
    Make a key and a certificate for 127.0.0.1.

    @return: the file with both, and the certificate.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    folder.makedirs(ignoreExistingDirectory=True)
    path = folder.child("server.pem")
    path.setContent(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + pem
    )
    return path.path, Certificate.loadPEM(pem)


def run(test: Callable[[Any], Coroutine[Deferred[Any], Any, None]]) -> Callable[[Any], Any]:
    """
    Let trial run a coroutine.
    """

    def method(self: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(self))

    method.__name__, method.__doc__ = test.__name__, test.__doc__
    return method
