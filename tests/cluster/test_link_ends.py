"""
Tests of L{siprec.cluster.link}: bounds, and how it ends.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from siprec.cluster.answering import MAX_REQUESTS
from siprec.cluster.errors import LinkBusy, LinkLost, PeerFailed, PeerLeft
from siprec.cluster.handshake import Peer
from siprec.cluster.link import CLOSE_TIME
from siprec.cluster.outbox import MAX_URGENT
from siprec.cluster.wire import Notice, Ping, encode, frame, pack
from tests.cluster.linkcase import KEY, LinkCase


class BoundTests(LinkCase):
    """
    What one peer can cost.
    """

    def setUp(self) -> None:
        super().setUp()
        self.join()

    def test_requests(self) -> None:
        """
        256 requests may be under way; one more is not sent.
        """
        answer: Deferred[int] = Deferred()
        self.farSide.answers["wait"] = answer
        requests = [self.near.request("wait", None, 5) for _ in range(MAX_REQUESTS)]
        self.failureResultOf(self.near.request("wait", None, 5), LinkBusy)
        self.near.abort()
        self.network.settle()
        for request in requests:
            self.failureResultOf(request, LinkLost)

    def test_work(self) -> None:
        """
        Of what a peer asks for beyond 256, requests are answered with a failure and
        notices dropped.
        """
        answer: Deferred[int] = Deferred()
        self.farSide.answers["wait"] = answer
        for _ in range(MAX_REQUESTS):
            self.near.notify("wait", None)
        over = self.near.request("wait", None, 5)
        self.near.notify("wait", None)
        self.network.settle()
        self.assertEqual(self.failureResultOf(over, PeerFailed).value.name, "LinkBusy")
        self.assertEqual(len(self.farSide.asked), MAX_REQUESTS)
        answer.callback(1)

    def test_unread(self) -> None:
        """
        For a peer that takes nothing 16 MiB wait; what is more is not sent, and
        answers become failures.
        """
        self.ends[0].full = True
        self.farSide.answers["x"] = None
        self.near.notify("x", 0)
        for _ in range(2):
            self.near.notify("x", bytes(8 * 1024 * 1024 - 100))
        self.assertRaises(LinkBusy, self.near.notify, "x", bytes(1000))
        self.failureResultOf(self.near.request("x", bytes(1000), 1), LinkBusy)
        self.nearSide.answers["big"] = bytes(1000)
        request = self.far.request("big", None, 5)
        self.network.settle()
        self.assertFalse(self.near.isIdle)
        self.ends[0].full = False
        self.near._outbox.resumeProducing()
        self.network.settle()
        self.assertEqual(self.failureResultOf(request, PeerFailed).value.name, "LinkBusy")
        self.assertEqual(len(self.farSide.asked), 3)

    def test_greedy(self) -> None:
        """
        A peer that asks and asks, and takes no answers, is closed.
        """
        self.ends[0].full = True
        with capturedLogs() as events:
            self.near.dataReceived(encode(Ping(1)) * (MAX_URGENT + 2))
        self.assertTrue(self.ends[0].disconnected)
        self.assertIn("does not take answers", events[0]["log_format"])

    def test_garbage(self) -> None:
        """
        Garbage on an authenticated link closes it at once, and that is no break.
        """
        for data in (b"\0\0\0\0", frame(pack("x"))):
            self.join()
            with capturedLogs() as events:
                self.near.dataReceived(data)
            self.assertIn("{reason}", events[0]["log_format"])
            self.network.settle()
            self.assertFalse(self.near.broken)
            self.assertTrue(self.ends[0].disconnected)


class EndTests(LinkCase):
    """
    The end of a link.
    """

    def setUp(self) -> None:
        super().setUp()
        self.join()

    def test_broken(self) -> None:
        """
        A link that ends without a word is broken, and what was under way fails.
        """
        request, pong = self.near.request("wait", 1, 5), self.near.ping(5)
        self.ends[0].abortConnection()
        self.network.settle()
        self.assertTrue(self.near.broken and self.far.broken)
        self.assertFalse(self.near.isOpen)
        self.failureResultOf(request, LinkLost)
        self.failureResultOf(pong, LinkLost)
        self.flushLoggedErrors(KeyError)

    def test_close(self) -> None:
        """
        To close is no break for who closes; the peer takes it for one, as it would
        take the end of the process.
        """
        self.near.close()
        self.network.settle()
        self.assertEqual((self.near.broken, self.far.broken), (False, True))

    def test_goodbye(self) -> None:
        """
        With a goodbye it is none for the peer either, and what the peer has sent
        meanwhile fails as not done.
        """
        request = self.far.request("k", 1, 5)
        self.near.close(goodbye=True)
        self.network.settle()
        self.assertEqual((self.near.broken, self.far.broken), (False, False))
        self.failureResultOf(request, PeerLeft)
        self.assertEqual(self.nearSide.asked, [])

    def test_closeLate(self) -> None:
        """
        A peer that does not take what is left is cut off after a second.
        """
        self.ends[0].frozen = True
        self.near.close()
        self.network.pass_(CLOSE_TIME + 0.05)
        self.assertTrue(self.ends[0].disconnected)
        self.ends[0].thaw()

    def test_afterClose(self) -> None:
        """
        What comes after a close is passed over, the rest of what came with it too.
        """
        kinds: list[str] = []
        near, far = self.makeNear(), self.makeFar()

        def answer(peer: Peer, kind: str, body: Any) -> None:
            kinds.append(kind)
            near.abort()

        near._answering._answer = answer
        self.network.join(near, far)
        self.network.settle()
        near.dataReceived(encode(Notice("1", 1)) + encode(Notice("2", 1)))
        near.dataReceived(encode(Notice("3", 1)))
        self.assertEqual(kinds, ["1"])

    def test_answerAfterTheEnd(self) -> None:
        """
        An answer that comes when the link is gone is dropped.
        """
        answer: Deferred[int] = Deferred()
        bad: Deferred[int] = Deferred()
        for each in (answer, bad):
            self.farSide.answers["wait"] = each
            self.near.request("wait", 1, 5).addErrback(lambda failure: failure.trap(LinkLost))
            self.network.settle()
        self.near.abort()
        self.network.settle()
        answer.callback(1)
        bad.errback(ValueError("no"))
        self.flushLoggedErrors(ValueError)

    def test_closedWhileOpening(self) -> None:
        """
        What came with the last byte of the handshake is not read any more, if the
        link is closed as soon as it is open.
        """
        near, far = self.makeNear(), self.makeFar()
        near.whenReady().addCallback(lambda link: link.abort())
        far.whenReady().addCallback(lambda link: link.notify("x", 1))
        self.network.join(near, far)
        self.network.settle()
        self.assertEqual(self.nearSide.asked, [])

    def test_abortTwice(self) -> None:
        """
        To abort, or to close, what is closed already has no effect.
        """
        self.near.abort()
        self.network.settle()
        self.near.abort()
        self.near.close()
        self.assertEqual(self.nearSide.closed, [self.near])

    def test_keyIsNotLogged(self) -> None:
        """
        No key stands in what is logged of a link.
        """
        with capturedLogs() as events:
            self.near.dataReceived(b"\0\0\0\0")
        self.assertNotIn(repr(KEY), repr(events))
