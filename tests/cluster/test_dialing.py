"""
Tests of L{siprec.cluster.dialing}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory

from siprec.cluster.contact import NoContact, contactData
from siprec.cluster.credentials import Credentials
from siprec.cluster.dialing import Dialer, LinkFactory
from siprec.cluster.errors import LinkLost, Unreachable
from siprec.cluster.handshake import OtherPeer
from siprec.cluster.link import Link
from siprec.cluster.tls import loadClusterTLS
from siprec.session.model import NodeLease
from tests.cluster.linkcase import KEY, A, B, LinkCase
from tests.store.certificates import makeCertificates


class DialTests(LinkCase):
    """
    C{A} dials; C{B} listens at C{192.0.2.9:7000}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network.listenTCP(
            7000, LinkFactory(B, Credentials(KEY), self.farSide.around), interface="192.0.2.9"
        )
        self.dialer = Dialer(self.network, A, Credentials(b""), self.nearSide.around)
        self.dialer.start()
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        Close what is open.
        """
        for link in self.nearSide.opened:
            link.abort()

    def lease(self, address: str = "192.0.2.9:7000", instance: str = "b1") -> NodeLease:
        """
        @return: the lease of C{B}.
        """
        data = {"cluster": contactData(address, KEY)}
        return NodeLease(B.nodeID, instance, "host", 1, data=data)

    def result(self, dialing: Deferred[Link]) -> Link:
        """
        @return: the link.
        """
        self.network.settle()
        return self.successResultOf(dialing)

    def test_dial(self) -> None:
        """
        Each call opens a link of its own, which is authenticated when it is given.
        """
        links = [self.result(self.dialer.dial(self.lease())) for _ in range(2)]
        self.assertIsNot(links[0], links[1])
        self.assertEqual([(link.peer, link.ours) for link in links], [(B, True)] * 2)
        self.assertEqual([link.ours for link in self.farSide.opened], [False, False])

    def test_connect(self) -> None:
        """
        Those who want a link at the same time get the same; later ones another.
        """
        one, two = self.dialer.connect(self.lease()), self.dialer.connect(self.lease())
        link = self.result(one)
        self.assertIs(self.result(two), link)
        self.assertIsNot(self.result(self.dialer.connect(self.lease())), link)

    def test_connectFails(self) -> None:
        """
        All are told why it failed, even if one who is told gives up for another.
        """
        lease = self.lease("192.0.2.8:7000")
        asked = [self.dialer.connect(lease) for _ in range(3)]

        def cancelLast(failure: object) -> object:
            asked[2].cancel()
            return failure

        asked[0].addErrback(cancelLast)
        self.network.settle()
        self.failureResultOf(asked[0], ConnectionRefusedError)
        self.failureResultOf(asked[1], ConnectionRefusedError)
        self.failureResultOf(asked[2], CancelledError)

    def test_cancelOne(self) -> None:
        """
        Who does not wait any more does not end the attempt for the others.
        """
        one, two = self.dialer.connect(self.lease()), self.dialer.connect(self.lease())
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.result(two)

    def test_closedAtOnce(self) -> None:
        """
        A link that one of those who wait closes is not given to the next.
        """
        one, two = self.dialer.connect(self.lease()), self.dialer.connect(self.lease())
        one.addCallback(lambda link: link.abort())
        self.network.settle()
        self.successResultOf(one)
        self.failureResultOf(two, LinkLost)

    def test_cancelDial(self) -> None:
        """
        A dial that is given up closes its connection, in whatever state.
        """
        early = self.dialer.dial(self.lease())
        early.cancel()
        self.failureResultOf(early)
        self.network.accepting.add(("192.0.2.8", 7000))
        late = self.dialer.dial(self.lease("192.0.2.8:7000"))
        self.network.settle()
        late.cancel()
        self.failureResultOf(late, CancelledError)
        self.network.settle()
        self.assertTrue(all(ends[0].ended for ends in self.network.connections))

    def test_failures(self) -> None:
        """
        Where the lease says nothing of use, or another instance answers, there is no
        link.
        """
        self.failureResultOf(self.dialer.dial(self.lease("?")), NoContact)
        other = self.dialer.dial(self.lease(instance="b2"))
        self.network.settle()
        self.failureResultOf(other, OtherPeer)

    def test_stop(self) -> None:
        """
        The stop ends all attempts, and there are no new ones until the next start.
        """
        one, two = self.dialer.dial(self.lease()), self.dialer.connect(self.lease())
        self.dialer.stop()
        self.failureResultOf(one)
        self.failureResultOf(two)
        self.failureResultOf(self.dialer.dial(self.lease()), Unreachable)
        self.failureResultOf(self.dialer.connect(self.lease()), Unreachable)
        self.dialer.start()
        self.result(self.dialer.dial(self.lease()))

    def test_endpoints(self) -> None:
        """
        IPv4 and IPv6 addresses are connected to as they are, names are looked up.
        """
        dialer = Dialer(MemoryReactorClock(), A, Credentials(b""), self.nearSide.around)
        kinds = [
            ("192.0.2.1", TCP4ClientEndpoint),
            ("2001:db8::1", TCP6ClientEndpoint),
            ("n1.example", HostnameEndpoint),
        ]
        for host, kind in kinds:
            self.assertIsInstance(dialer._endpoint(host, 1), kind)

    def test_tls(self) -> None:
        """
        With TLS, it stands between the connection and the link.
        """
        folder = self.mktemp()
        Path(folder).mkdir(parents=True)
        makeCertificates(folder)
        files = [f"{folder}/{name}" for name in ("server.pem", "server.key", "ca.pem")]
        reactor: Any = MemoryReactorClock()
        credentials = Credentials(b"", tls=loadClusterTLS(*files))
        dialer = Dialer(reactor, A, credentials, self.nearSide.around)
        dialer.start()
        dialing = dialer.dial(self.lease())
        factory = reactor.tcpClients[0][2]._wrappedFactory
        self.assertIsInstance(factory, TLSMemoryBIOFactory)
        self.assertIs(factory._clock, reactor)
        dialing.cancel()
        self.failureResultOf(dialing)
