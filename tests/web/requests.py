"""
HTTP requests against the whole site, without a network.
"""

import json
from typing import Any

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel

from siprec.metrics import Metrics
from siprec.testing.control import FakeControl, ImmediateWorkers
from siprec.web.site import makeSite


@frozen
class Reply:
    """
    What came back.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def parseReply(data: bytes) -> Reply:
    """
    @return: the one response in C{data}.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Reply(int(first.split()[1]), headers, body)


class SiteTestCase(SynchronousTestCase):
    """
    A site over a fake node and an archive in a temporary folder.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.control = FakeControl()
        self.metrics = Metrics("1.2.3", "node-a")
        self.workers = ImmediateWorkers()
        self.root = self.mktemp()
        self.site = makeSite(self.control, self.metrics, self.root, self.workers, self.clock)
        self.site.doStart()
        self.addCleanup(self.assertEqual, self.clock.getDelayedCalls(), [])
        self.addCleanup(self.site.doStop)

    def send(
        self, method: str, path: str, body: bytes = b""
    ) -> tuple[HTTPChannel, StringTransport]:
        """
        @return: the connection on which the request was sent.
        """
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.7", 40000))
        assert protocol is not None
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.7", 40000))
        protocol.makeConnection(transport)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        protocol.dataReceived(f"{head}{length}\r\n".encode() + body)
        return protocol, transport

    def request(self, method: str, path: str, body: bytes = b"") -> Reply:
        """
        @return: the response, which must have been sent already.
        """
        transport = self.send(method, path, body)[1]
        reply = parseReply(transport.value())
        self.assertEqual(reply.headers["cache-control"], "no-store")
        if reply.body:
            self.assertEqual(reply.headers["content-length"], str(len(reply.body)))
        return reply

    def get(self, path: str, status: int = 200) -> Any:
        """
        @return: the JSON of a GET that gives C{status}.
        """
        reply = self.request("GET", path)
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(reply.headers["content-type"], "application/json")
        return reply.json

    def post(self, path: str, status: int, body: bytes = b"") -> Any:
        """
        @return: the JSON of a POST that gives C{status}.
        """
        reply = self.request("POST", path, body)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json
