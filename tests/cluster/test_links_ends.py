"""
Tests of L{siprec.cluster.links}: kept and idle connections, strangers, ends.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from siprec.cluster.errors import LinkLost, Unreachable
from siprec.cluster.links import IDLE_TIME, LOG_INTERVAL, MAX_STRANGERS
from siprec.ids import NodeID
from tests.cluster.network import MemoryTransport
from tests.cluster.nodes import A, B, C, TwoNodes


class EndTests(TwoNodes):
    """
    How connections end.
    """

    def test_idle(self) -> None:
        """
        A connection is closed after 30 seconds without use, by who opened it, and
        nobody takes that for a break.
        """
        self.ask(self.a, B)
        self.network.pass_(IDLE_TIME - 1, 0.5)
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(1.5, 0.5)
        self.assertEqual((self.live(), self.told), ([], []))

    def test_idleButWaiting(self) -> None:
        """
        While somebody waits for an answer it stays.
        """
        self.b.handle("wait", lambda peer, body: Deferred())
        asked = self.a.request(B, "wait", 1, timeout=40)
        self.network.pass_(39, 0.5)
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(2, 0.5)
        self.failureResultOf(asked, TimeoutError)

    def test_requestMeetsClose(self) -> None:
        """
        A request that meets the end of an idle connection is sent by a new one.
        """
        self.ask(self.a, B)
        (link,) = self.a._links
        link.close(goodbye=True)
        self.assertEqual(self.ask(self.b, A), ["b", "b1", 1])
        self.assertEqual(len(self.network.connections), 2)

    def test_requestMeetsCloseTooLate(self) -> None:
        """
        If its time is over by then, it fails.
        """
        self.ask(self.a, B)
        (link,) = self.a._links
        link.close(goodbye=True)
        asked = self.b.request(A, "echo", 1, timeout=0)
        self.network.settle()
        self.failureResultOf(asked, LinkLost)

    def test_dead(self) -> None:
        """
        A connection that the peer opened, and has not closed after twice the time, is
        dead.
        """
        self.ask(self.a, B)
        near, far = self.network.connections[0]
        near.frozen = True
        self.network.pass_(2 * IDLE_TIME - 1, 0.5)
        self.assertFalse(far.ended)
        self.network.pass_(1.5, 0.5)
        self.assertTrue(far.ended)
        near.thaw()
        self.network.settle()
        self.assertEqual(self.told, [])

    def test_broken(self) -> None:
        """
        Both ends are told of a connection that breaks, but not the one that stops.
        """
        self.ask(self.a, B)
        self.cut()
        self.assertEqual(sorted(self.told), [("broken", A, B), ("broken", B, A)])
        self.told.clear()
        self.ask(self.a, B)
        self.successResultOf(self.stopped(self.b))
        self.assertEqual(self.told, [("broken", A, B)])
        self.assertEqual(self.a.counters["broken"], 2)

    def test_badCallback(self) -> None:
        """
        An error of who is told harms nobody else.
        """

        def bad(node: NodeID) -> None:
            raise ValueError("no")

        c = self.start(C, onBroken=bad)
        c.handle("wait", lambda peer, body: Deferred())
        self.ask(c, B)
        self.cut()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.ask(c, B), ["c", "c1", 1])
        self.successResultOf(self.stopped(c))

    def test_stopWhileConnecting(self) -> None:
        """
        The stop gives up what is being connected, and closes what is not yet
        authenticated.
        """
        self.network.lost.add(("192.0.2.2", 7000))
        asked = self.a.request(B, "echo", 1)
        self.leases[C] = self.claim(B, address="192.0.2.3:7000")
        self.network.accepting.add(("192.0.2.3", 7000))
        other = self.a.request(C, "echo", 1)
        self.network.settle()
        self.successResultOf(self.stopped(self.a))
        self.failureResultOf(asked, Unreachable)
        self.failureResultOf(other, Unreachable)

    def test_stopFrozenPeer(self) -> None:
        """
        A peer that does not take the end delays the stop by a second.
        """
        self.ask(self.a, B)
        near, _ = self.network.connections[0]
        near.frozen = True
        done = self.a.stopService()
        self.network.pass_(1.5)
        near.thaw()
        self.network.settle()
        self.successResultOf(done)
        self.assertTrue(near.disconnected)


class StrangerTests(TwoNodes):
    """
    Those who reach the port and know no key.
    """

    def stranger(self, data: bytes = b"") -> MemoryTransport:
        """
        @return: the far end of a connection of a stranger, who says this.
        """
        factory = self.network.ports["192.0.2.2", 7000].factory
        end, _ = self.network.join(factory.buildProtocol(None), None)
        if data:
            end.protocol.dataReceived(data)
        return end

    def test_bounded(self) -> None:
        """
        Of those who are not authenticated, 64 may be there: the oldest is closed for
        one more, so that a node still gets in.
        """
        ends = [self.stranger() for _ in range(MAX_STRANGERS + 1)]
        self.network.settle()
        self.assertEqual([end.ended for end in ends], [True] + [False] * MAX_STRANGERS)
        self.assertEqual(self.ask(self.a, B), ["a", "a1", 1])

    def test_wrongSecret(self) -> None:
        """
        Nodes of another secret do not reach each other; the log says so, but at most
        once in 10 seconds, and never about plain garbage.
        """
        c = self.start(C, secrets=(b"other",))
        with capturedLogs() as events:
            for _ in range(3):
                asked = c.request(B, "echo", 1)
                self.stranger(b"GET / HTTP/1.1\r\n\r\n")
                self.network.settle()
                self.failureResultOf(asked, Unreachable)
            self.network.pass_(LOG_INTERVAL, 0.5)
            c.request(B, "echo", 1).addErrback(lambda failure: failure.trap(Unreachable))
            self.network.settle()
        lines = [event for event in events if "refused: {reason}" in event["log_format"]]
        self.assertEqual(len(lines), 2)
        self.assertIn("another cluster secret", lines[0]["reason"])
        self.assertEqual(self.b.counters["refused"], 7)

    def test_secret(self) -> None:
        """
        With the same secret they do.
        """
        self.successResultOf(self.stopped(self.a))
        self.successResultOf(self.stopped(self.b))
        a, b = self.start(A, "2", secrets=(b"s",)), self.start(B, "2", secrets=(b"s",))
        b.handle("echo", lambda peer, body: body)
        self.assertEqual(self.ask(a, B), 1)

    def test_wrongKey(self) -> None:
        """
        Who has not read the lease is not let in.
        """
        self.leases[B] = self.claim(B, key="00" * 32)
        asked = self.a.request(B, "echo", 1)
        self.network.settle()
        self.failureResultOf(asked, Unreachable)
        self.assertEqual(self.b.counters["refused"], 1)


class KeepTests(TwoNodes):
    """
    Kept connections, as the node sees them.
    """

    def test_keep(self) -> None:
        """
        A kept connection is opened at once, and is not closed for lack of use; one
        that is not kept any more is.
        """
        self.a.keep([A, B])
        self.network.settle()
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(2 * IDLE_TIME + 5, 0.5)
        self.assertEqual(len(self.network.connections), 1)
        self.assertEqual(len(self.live()), 1)
        self.a.keep([])
        self.network.pass_(IDLE_TIME + 5, 0.5)
        self.assertEqual((self.live(), self.told), ([], []))

    def test_beforeStart(self) -> None:
        """
        What is to be kept before the start is connected with it.
        """
        c = self.make(C)
        c.keep([B])
        self.network.settle()
        self.assertEqual(self.network.connections, [])
        c.startService()
        self.network.settle()
        self.assertEqual(len(self.network.connections), 1)

    def test_both(self) -> None:
        """
        Where both connect at the same time, one connection is left.
        """
        self.a.keep([B])
        self.b.keep([A])
        self.network.settle()
        self.assertEqual(len(self.live()), 2)
        self.network.pass_(IDLE_TIME + 1, 0.5)
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(2 * IDLE_TIME + 5, 0.5)
        self.assertEqual((len(self.network.connections), len(self.live())), (2, 1))
        self.assertEqual(self.told, [])

    def test_silent(self) -> None:
        """
        When a kept connection brings nothing for three intervals, that is told, once.
        """
        self.a.keep([B])
        self.network.pass_(1, 0.5)
        self.network.connections[0][1].frozen = True
        self.network.pass_(1.5, 0.5)
        self.assertEqual(self.told, [])
        self.network.pass_(0.5, 0.5)
        self.assertEqual(self.told, [("silent", A, B)])
        self.network.pass_(3, 0.5)
        self.assertEqual((len(self.told), self.a.counters["silences"]), (1, 1))
        self.network.connections[0][1].thaw()

    def test_badLeases(self) -> None:
        """
        An error does not end the care for the connections.
        """
        known = self.leases
        self.a._leaseOf = self.a._keeper._leaseOf = lambda node: known[node]
        self.a.keep([B])
        self.leases.pop(B)
        self.network.pass_(1, 0.5)
        self.assertTrue(self.flushLoggedErrors(KeyError))
        self.leases[B] = self.lease(self.b, B, "b1")
        self.network.pass_(1, 0.5)
        self.assertEqual(len(self.live()), 1)
