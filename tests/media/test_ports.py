"""
Tests of L{siprec.media.ports}.
"""

import errno
import socket
from typing import cast

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.media.interfaces import IPortPair, IPortPool
from siprec.media.ports import NoFreePorts, PortPair, PortPool, enlarge


class FakeSocket:
    """
    A socket that knows its port and whether it is open.
    """

    def __init__(self, network: "FakeNetwork", key: tuple[str, int]) -> None:
        self._network, self._key = network, key
        self._network.bound.add(key)
        self.shared = False
        self.peer: tuple[str, int] | None = None

    def fileno(self) -> int:
        """
        @return: below 0 when closed.
        """
        return 3 if self._key in self._network.bound else -1

    def close(self) -> None:
        """
        Free the port.
        """
        self._network.bound.discard(self._key)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """
        Only who has the privilege may go beyond the limit.
        """
        if option == socket.SO_REUSEPORT:
            self._step(f"share {value}")
            self.shared = bool(value)
            return
        if option != socket.SO_RCVBUF and not self._network.privileged:
            raise PermissionError(errno.EPERM, "no")

    def getsockname(self) -> tuple[str, int]:
        """
        @return: where it is bound.
        """
        return self._key

    def connect(self, peer: tuple[str, int]) -> None:
        """
        Take packets from C{peer} only.
        """
        self._step("connect")
        self.peer = peer

    def disconnect(self) -> None:
        """
        Take them from anybody.
        """
        self._step("disconnect")
        self.peer = None

    def _step(self, what: str) -> None:
        if (what, self._key[1]) == self._network.refused:
            raise OSError(errno.EOPNOTSUPP, "not here")

    def getsockopt(self, level: int, option: int) -> int:
        """
        @return: the buffer size.
        """
        return self._network.buffer


class FakeNetwork:
    """
    @ivar busy: ports that another process has.
    @ivar error: what each attempt to bind fails with, if not C{None}.
    @ivar claimed: whether the last socket was opened to share its port.
    @ivar refused: a step that this kernel cannot do, and at which port.
    """

    def __init__(self) -> None:
        self.bound: set[tuple[str, int]] = set()
        self.busy: set[int] = set()
        self.error: OSError | None = None
        self.privileged, self.buffer, self.attempts = True, 1 << 20, 0
        self.claimed = False
        self.refused: tuple[str, int] | None = None

    def open(self, host: str, port: int, shared: bool = False) -> socket.socket:
        """
        As L{siprec.media.ports.openSocket}.
        """
        self.attempts, self.claimed = self.attempts + 1, shared
        if self.error is not None:
            raise self.error
        if port in self.busy or (host, port) in self.bound:
            raise OSError(errno.EADDRINUSE, "in use")
        return cast(socket.socket, FakeSocket(self, (host, port)))


class PortPoolTests(SynchronousTestCase):
    """
    L{PortPool} on a network that is not there.
    """

    def setUp(self) -> None:
        self.clock, self.network = Clock(), FakeNetwork()

    def pool(self, low: int = 10000, high: int = 10009, cooldown: float = 10.0) -> PortPool:
        """
        @return: a pool of five pairs.
        """
        return PortPool(
            low,
            high,
            self.clock.seconds,
            cooldown,
            openSocket=self.network.open,
            disconnect=lambda sock: cast(FakeSocket, sock).disconnect(),
        )

    def states(self, pair: PortPair) -> list[tuple[bool, tuple[str, int] | None]]:
        """
        @return: of both sockets, whether the port is shared and who may send to it.
        """
        sockets = cast(list[FakeSocket], [pair.rtp, pair.rtcp])
        return [(each.shared, each.peer) for each in sockets]

    def test_interfaces(self) -> None:
        """
        Pool and pair provide what they promise.
        """
        pool = self.pool()
        verifyObject(IPortPool, pool)
        verifyObject(IPortPair, pool.allocate("192.0.2.1"))

    def test_E1_parity(self) -> None:
        """
        RTP gets the even port and RTCP the odd one after it; no pair twice.
        """
        pool = self.pool()
        pairs = [pool.allocate("192.0.2.1") for _ in range(5)]
        self.assertEqual(
            sorted(pair.rtpPort for pair in pairs), [10000, 10002, 10004, 10006, 10008]
        )
        self.assertTrue(all(pair.rtcpPort == pair.rtpPort + 1 for pair in pairs))
        self.assertEqual((pool.free, len(self.network.bound)), (0, 10))
        self.assertRaises(NoFreePorts, pool.allocate, "192.0.2.1")

    def test_oddBorders(self) -> None:
        """
        A range that begins odd or ends even has only the pairs that are wholly in it.
        """
        self.assertEqual(self.pool(10001, 10006).free, 2)
        for low, high in ((10001, 10002), (10, 10), (0, 7), (60000, 70000)):
            self.assertRaises(ValueError, self.pool, low, high)

    def test_notInSequence(self) -> None:
        """
        The order is not that of the numbers, so that ports cannot be foretold.
        """
        pool = self.pool(10000, 19999)
        ports = [pool.allocate("192.0.2.1").rtpPort for _ in range(100)]
        self.assertNotEqual(ports, sorted(ports))

    def test_cooldown(self) -> None:
        """
        A released pair is closed at once and used again only after the cooldown.
        """
        pool = self.pool(10000, 10001)
        pair = pool.allocate("192.0.2.1")
        pool.release(pair)
        self.assertEqual(self.network.bound, set())
        self.clock.advance(9.9)
        self.assertRaises(NoFreePorts, pool.allocate, "192.0.2.1")
        self.clock.advance(0.1)
        self.assertEqual(pool.free, 1)
        self.assertEqual(pool.allocate("192.0.2.1").rtpPort, 10000)

    def test_releasedTwice(self) -> None:
        """
        Releasing again, even when somebody else has the ports by now, does nothing.
        """
        pool = self.pool(10000, 10001)
        pair = pool.allocate("192.0.2.1")
        pool.release(pair)
        pool.release(pair)
        self.clock.advance(10)
        self.assertEqual(pool.free, 1)

    def test_busyPorts(self) -> None:
        """
        A pair of which another process has either port is skipped, nothing stays
        bound of it, and it is tried again after the cooldown.
        """
        self.network.busy = {10000, 10003}
        pool = self.pool(10000, 10005)
        self.assertEqual(pool.allocate("192.0.2.1").rtpPort, 10004)
        self.assertRaises(NoFreePorts, pool.allocate, "192.0.2.1")
        self.assertEqual(self.network.bound, {("192.0.2.1", 10004), ("192.0.2.1", 10005)})
        self.network.busy.clear()
        self.clock.advance(10)
        self.assertEqual(pool.free, 2)

    def test_otherErrors(self) -> None:
        """
        An address that is not ours is no question of the port: it is raised as it is,
        and the pair stays free.
        """
        pool = self.pool()
        self.network.error = OSError(errno.EADDRNOTAVAIL, "not here")
        self.assertRaises(OSError, pool.allocate, "203.0.113.1")
        self.assertEqual((pool.free, self.network.attempts), (5, 1))

    def test_claim(self) -> None:
        """
        Given ports are bound, in the range or not, cooling down or not; those of the
        range are not handed out meanwhile and cool down afterwards.
        """
        pool = self.pool(10000, 10003)
        pair = pool.claim("192.0.2.1", 10000)
        self.assertEqual((pair.rtpPort, pair.rtcpPort, pool.free), (10000, 10001, 1))
        pool.release(pair)
        self.clock.advance(5)
        pool.release(pool.claim("192.0.2.1", 10000))
        self.clock.advance(5)
        self.assertEqual(pool.free, 1)  # the second release is 5 seconds ago
        self.clock.advance(5)
        self.assertEqual(pool.free, 2)
        pool.release(pool.claim("192.0.2.1", 20000))
        self.clock.advance(10)
        self.assertEqual(pool.free, 2)

    def test_claimOnTwoHosts(self) -> None:
        """
        The same ports on two addresses are free when both are released.
        """
        pool = self.pool(10000, 10001)
        one, two = pool.claim("192.0.2.1", 10000), pool.claim("192.0.2.2", 10000)
        pool.release(one)
        self.clock.advance(10)
        self.assertEqual(pool.free, 0)
        pool.release(two)
        self.clock.advance(10)
        self.assertEqual(pool.free, 1)

    def test_claimRefused(self) -> None:
        """
        Ports in use, and an odd one, cannot be claimed; nothing changes.
        """
        pool = self.pool()
        pair = pool.allocate("192.0.2.1")
        self.assertRaises(OSError, pool.claim, "192.0.2.1", pair.rtpPort)
        for port in (10001, 0, 65536):
            self.assertRaises(ValueError, pool.claim, "192.0.2.1", port)
        self.assertEqual(pool.free, 4)

    def test_handOver(self) -> None:
        """
        The ports of a pair are open to others from C{share} on, and get nothing more
        from C{divert} on: their peer is the own host's discard port.
        """
        pool = self.pool()
        pair = pool.allocate("192.0.2.1")
        self.assertEqual(self.states(pair), [(False, None)] * 2)
        pool.share(pair)
        self.assertEqual(self.states(pair), [(True, None)] * 2)
        pool.divert(pair)
        self.assertEqual(self.states(pair), [(True, ("192.0.2.1", 9))] * 2)
        pool.unshare(pair)
        self.assertEqual(self.states(pair), [(False, None)] * 2)

    def test_handOverRefused(self) -> None:
        """
        A step that fails at either port leaves both as they were.
        """
        pool = self.pool()
        pair = pool.allocate("192.0.2.1")
        for port in (pair.rtpPort, pair.rtcpPort):
            self.network.refused = ("share 1", port)
            self.assertRaises(OSError, pool.share, pair)
            self.assertEqual(self.states(pair), [(False, None)] * 2)
        self.network.refused = None
        pool.share(pair)
        for port in (pair.rtpPort, pair.rtcpPort):
            self.network.refused = ("connect", port)
            self.assertRaises(OSError, pool.divert, pair)
            self.assertEqual(self.states(pair), [(True, None)] * 2)

    def test_undoingFails(self) -> None:
        """
        Where a failure cannot be undone either, it is the first that is told.
        """
        pool = self.pool()
        pair = pool.allocate("192.0.2.1")
        pool.share(pair)
        self.network.refused = ("connect", pair.rtcpPort)
        undone: list[object] = []

        def fails(sock: object) -> None:
            undone.append(sock)
            raise OSError(errno.EBADF, "gone")

        pool._disconnect = fails
        error = self.assertRaises(OSError, pool.divert, pair)
        self.assertEqual((error.errno, len(undone)), (errno.EOPNOTSUPP, 2))

    def test_claimShared(self) -> None:
        """
        Only a claim that says so may find somebody else at the ports.
        """
        pool = self.pool()
        pool.allocate("192.0.2.1")
        self.assertFalse(self.network.claimed)
        pool.claim("192.0.2.1", 20000)
        self.assertFalse(self.network.claimed)
        pool.claim("192.0.2.1", 20002, shared=True)
        self.assertTrue(self.network.claimed)

    def test_thousands(self) -> None:
        """
        With all pairs but one in use, the last is found without trying the others.
        """
        pool = self.pool(10000, 59999)
        pairs = [pool.allocate("192.0.2.1") for _ in range(25000)]
        pool.release(pairs[12345])
        self.clock.advance(10)
        self.network.attempts = 0
        self.assertEqual(pool.allocate("192.0.2.1").rtpPort, pairs[12345].rtpPort)
        self.assertEqual(self.network.attempts, 2)

    def test_buffer(self) -> None:
        """
        Without the privilege the buffer is what the system allows.
        """
        self.network.privileged, self.network.buffer = False, 425984
        self.assertEqual(enlarge(self.network.open("192.0.2.1", 4000)), 425984)

    def test_smallBuffer(self) -> None:
        """
        Buffers too small for a second of media are told of, once.
        """
        self.network.buffer = 100000
        with capturedLogs() as events:
            pool = self.pool()
            pool.allocate("192.0.2.1")
            pool.allocate("192.0.2.1")
        self.assertEqual([event["size"] for event in events], [100000])
