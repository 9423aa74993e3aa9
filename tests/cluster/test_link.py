"""
Tests of L{siprec.cluster.link}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP, IReactorTime, ITCPTransport
from zope.interface.verify import verifyObject

from siprec.cluster.errors import LinkLost, PeerFailed
from siprec.cluster.handshake import Handshake, HandshakeError, NotAuthentic, Send
from siprec.cluster.link import CLOSE_TIME
from siprec.cluster.wire import Notice, Unsendable, encode
from tests.cluster.linkcase import KEY, A, B, LinkCase
from tests.cluster.network import MemoryTransport


class OpeningTests(LinkCase):
    """
    From the connection to the first message.
    """

    def test_fakes(self) -> None:
        """
        The network of these tests is one.
        """
        verifyObject(IReactorTCP, self.network)
        verifyObject(IReactorTime, self.network)
        verifyObject(ITCPTransport, MemoryTransport(self.network, ("h", 1), ("h", 2)))

    def test_authenticated(self) -> None:
        """
        Both sides are told who is there; only then anything can be sent.
        """
        near, far = self.makeNear(), self.makeFar()
        ready = near.whenReady()
        self.failureResultOf(near.request("k", 1, 1), LinkLost)
        self.assertRaises(LinkLost, near.notify, "k", 1)
        self.failureResultOf(near.ping(1), LinkLost)
        self.network.join(near, far)
        self.assertEqual((self.nearSide.connected, self.farSide.connected), ([near], [far]))
        self.assertNoResult(ready)
        self.network.settle()
        self.assertIs(self.successResultOf(ready), near)
        self.assertIs(self.successResultOf(near.whenReady()), near)
        self.assertEqual((near.peer, near.schema, far.peer, far.schema), (B, 1, A, 1))
        self.assertEqual((self.nearSide.opened, self.farSide.opened), ([near], [far]))
        near.close()

    def test_options(self) -> None:
        """
        Small messages are not held back, and a dead host is noticed some time.
        """
        self.join()
        self.assertTrue(all(end.getTcpNoDelay() and end.getTcpKeepAlive() for end in self.ends))

    def test_wrongKey(self) -> None:
        """
        A peer with another key is closed, and neither side says anything more.
        """
        near, far = self.makeNear(b"x" * 32), self.makeFar()
        ready = near.whenReady()
        self.network.join(near, far)
        self.network.settle()
        self.assertEqual([type(each) for each in self.farSide.refused], [NotAuthentic])
        self.assertIn("cluster secret", str(self.failureResultOf(ready, LinkLost).value))
        self.failureResultOf(near.whenReady(), LinkLost)
        self.assertEqual((self.nearSide.closed, self.farSide.closed), ([near], [far]))
        self.assertEqual(self.nearSide.opened + self.farSide.opened, [])
        self.assertFalse(near.broken or far.broken)

    def test_rest(self) -> None:
        """
        What comes in one piece with the end of the handshake is read.
        """
        near, far = self.makeNear(), Handshake.listening(B, KEY)
        self.nearSide.answers["told"] = None
        end, _ = self.network.join(near, None)
        for _ in range(2):
            said, _ = end.value(), end.clear()
            effects = far.feed(said)
            data = b"".join(each.data for each in effects if isinstance(each, Send))
            if len(effects) == 2:
                data += encode(Notice("told", 1)) + encode(Notice("told", 2))
            near.dataReceived(data)
        self.assertEqual([body for _, _, body in self.nearSide.asked], [1, 2])
        near.abort()

    def test_garbage(self) -> None:
        """
        What is no handshake is refused at once, and who waits is told.
        """
        near = self.makeNear()
        ready = near.whenReady()
        end, _ = self.network.join(near, None)
        near.dataReceived(b"HTTP/1.1 400 Bad Request\r\n")
        self.failureResultOf(ready, HandshakeError)
        near.dataReceived(b"more")
        self.assertTrue(end.disconnecting)

    def test_slow(self) -> None:
        """
        A peer that is not authenticated within 2 seconds is refused, however many
        bytes trickle in.
        """
        far = self.makeFar()
        end, _ = self.network.join(far, None)
        for byte in b"\0\0\0\x40" + bytes(14):
            self.network.pass_(0.1)
            far.dataReceived(bytes([byte]))
        self.network.pass_(0.15)
        self.assertEqual(self.farSide.refused, [])
        self.network.pass_(0.1)
        (error,) = self.farSide.refused
        self.assertEqual(str(error), "not authenticated within 2 s")
        self.assertTrue(end.ended)

    def test_unreadRefusal(self) -> None:
        """
        A refused peer that does not even take the end is cut off after a second.
        """
        far = self.makeFar()
        end, _ = self.network.join(far, None)
        end.frozen = True
        far.dataReceived(b"\0\0\0\0")
        self.network.pass_(CLOSE_TIME - 0.1)
        self.assertFalse(end.disconnected)
        self.network.pass_(0.15)
        self.assertTrue(end.disconnected)
        end.thaw()

    def test_cancelled(self) -> None:
        """
        Who does not want to wait for it is forgotten.
        """
        near = self.makeNear()
        ready = near.whenReady()
        ready.addErrback(lambda _: None)
        ready.cancel()
        self.network.join(near, self.makeFar())
        self.network.settle()
        near.abort()


class RequestTests(LinkCase):
    """
    Requests, notices and pings.
    """

    def setUp(self) -> None:
        super().setUp()
        self.join()

    def test_answer(self) -> None:
        """
        A request is given to the peer with who asks, and its answer comes back, in
        both directions; tuples become lists.
        """
        self.farSide.answers["add"] = (1, b"\0")
        self.nearSide.answers["sub"] = None
        one, two = self.near.request("add", {"a": (1,)}, 1), self.far.request("sub", 0, 1)
        self.network.settle()
        self.assertEqual(self.successResultOf(one), [1, b"\0"])
        self.assertIsNone(self.successResultOf(two))
        self.assertEqual(self.farSide.asked, [(A, "add", {"a": [1]})])
        self.assertEqual(self.nearSide.asked, [(B, "sub", 0)])

    def test_laterAnswers(self) -> None:
        """
        Answers may come in any order.
        """
        answers: list[Deferred[Any]] = [Deferred(), Deferred()]
        requests = []
        for number, answer in enumerate(answers):
            self.farSide.answers["wait"] = answer
            requests.append(self.near.request("wait", number, 5))
            self.network.settle()
        for number in (1, 0):
            self.assertNoResult(requests[number])
            answers[number].callback(number)
            self.network.settle()
            self.assertEqual(self.successResultOf(requests[number]), number)

    def test_failure(self) -> None:
        """
        An error of the peer comes back by its name and text, and is logged there.
        """
        self.farSide.answers["bad"] = ValueError("no: " + "x" * 1000)
        failed = self.near.request("bad", None, 1)
        self.network.settle()
        error = self.failureResultOf(failed, PeerFailed).value
        self.assertEqual((error.name, error.text), ("ValueError", "no: " + "x" * 496))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_timeout(self) -> None:
        """
        Nobody waits longer than asked for; a late answer has no effect.
        """
        answer: Deferred[int] = Deferred()
        self.farSide.answers["wait"] = answer
        request = self.near.request("wait", None, 2)
        self.network.pass_(2.05)
        self.failureResultOf(request, TimeoutError)
        answer.callback(1)
        self.network.settle()
        self.assertTrue(self.near.isOpen)

    def test_unsendable(self) -> None:
        """
        What is no plain value is refused here, and an answer that is none there.
        """
        self.failureResultOf(self.near.request("k", object(), 1), Unsendable)
        self.assertRaises(Unsendable, self.near.notify, "k", object())
        self.farSide.answers["odd"] = object()
        request = self.near.request("odd", 1, 1)
        self.network.settle()
        self.assertEqual(self.failureResultOf(request, PeerFailed).value.name, "Unsendable")
        self.flushLoggedErrors(Unsendable)

    def test_notice(self) -> None:
        """
        A notice arrives, and nothing comes back.
        """
        self.farSide.answers["told"] = 5
        self.ends[1].clear()
        self.near.notify("told", [1])
        self.network.settle()
        self.assertEqual(self.farSide.asked, [(A, "told", [1])])
        self.assertEqual(self.ends[1].value(), b"")

    def test_badNotice(self) -> None:
        """
        A notice that fails is logged where it came.
        """
        self.farSide.answers["told"] = ValueError("no")
        self.near.notify("told", 1)
        self.network.settle()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_ping(self) -> None:
        """
        A ping is answered; without an answer it ends after its time.
        """
        pong = self.near.ping(1)
        self.network.settle()
        self.assertIsNone(self.successResultOf(pong))
        self.ends[1].frozen = True
        pong = self.near.ping(1)
        self.network.pass_(1.05)
        self.failureResultOf(pong, TimeoutError)
        self.ends[1].thaw()
        self.network.settle()

    def test_beats(self) -> None:
        """
        Each beat sends a ping and counts those before it that brought nothing; three
        make a link silent, and anything that comes ends the silence.
        """
        self.assertEqual(self.near.beat(), 0)
        self.network.settle()
        self.assertEqual(self.near.beat(), 0)
        self.ends[1].frozen = True
        self.network.settle()
        self.assertEqual([self.near.beat(), self.near.beat()], [1, 2])
        self.assertFalse(self.near.isSilent)
        self.assertEqual(self.near.beat(), 3)
        self.assertTrue(self.near.isSilent)
        self.ends[1].thaw()
        self.network.settle()
        self.assertEqual(self.near.beat(), 0)
        self.assertFalse(self.near.isSilent)

    def test_lastUse(self) -> None:
        """
        What is sent and what comes is use, and who waits for an answer is not idle.
        """
        answer: Deferred[int] = Deferred()
        self.farSide.answers["wait"] = answer
        self.network.pass_(1)
        request = self.near.request("wait", None, 5)
        self.assertAlmostEqual(self.near.lastUse, 1)
        self.network.pass_(1)
        self.assertFalse(self.near.isIdle or self.far.isIdle)
        answer.callback(1)
        self.network.settle()
        self.successResultOf(request)
        self.assertTrue(self.near.isIdle and self.far.isIdle)
        self.assertAlmostEqual(self.near.lastUse, 2)

    def test_lastHeard(self) -> None:
        """
        What comes is heard, and what is sent is not.
        """
        self.network.pass_(1)
        self.near.notify("note", None)
        self.assertAlmostEqual(self.near.lastUse, 1)
        self.assertAlmostEqual(self.near.lastHeard, 0)
        self.farSide.answers["note"] = None
        self.network.settle()
        self.assertAlmostEqual(self.far.lastHeard, 1)
