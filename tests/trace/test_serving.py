"""
Tests of L{siprec.trace.serving}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IPullProducer
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.sip.flow import Flow
from siprec.trace.ring import TraceRing
from siprec.trace.serving import MAX_READERS, PERIOD, TraceService
from siprec.trace.wire import Query, parseLine
from tests.trace.samples import OTHER, TCP, UDP, sip


class PullTransport(StringTransport):
    """
    Asks a pull producer for more as a real transport does: at first, and each time
    all has been taken.
    """

    aborted = False

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def abortConnection(self) -> None:
        self.aborted = True

    def take(self) -> bytes:
        """
        @return: what has been written; it is gone then.
        """
        taken: bytes = self.value()
        self.clear()
        if taken and self.producer is not None:
            self.producer.resumeProducing()
        return taken


class TakenReactor(MemoryReactorClock):
    """
    No socket can be had.
    """

    def listenUNIX(self, address: str, *args: Any, **kwargs: Any) -> Any:
        raise CannotListenError(None, address, OSError(95, "not supported"))


class ServingCase(SynchronousTestCase):
    """
    A service on a reactor without a network.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.ring = TraceRing(100, 1 << 20, lambda: 5.0)
        self.path = os.path.join(os.path.abspath(self.mktemp()), "socket")
        os.makedirs(os.path.dirname(self.path))
        self.sessions: dict[str, Deferred[frozenset[str]]] = {}
        self.service = self.make()
        self.addCleanup(lambda: self.assertEqual(self.reactor.getDelayedCalls(), []))

    def make(self, reactor: Any = None, required: bool = False) -> TraceService:
        """
        @return: a service that is not started.
        """
        return TraceService(
            *(reactor or self.reactor, self.ring, self.path, "rec1", self.find),
            required=required,
            answers=lambda address: True,
        )

    def find(self, session: str) -> Deferred[frozenset[str]]:
        """
        @return: the Call-IDs of a session.
        """
        return self.sessions.get(session) or fail(LookupError(f"{session}: unknown"))

    def connect(self) -> tuple[Any, PullTransport]:
        """
        @return: a reader that has not asked yet.
        """
        if not self.service.running:
            self.service.startService()
            self.addCleanup(self.service.stopService)
        protocol = self.reactor.unixServers[0][1].buildProtocol(None)
        transport = PullTransport()
        protocol.makeConnection(transport)
        self.addCleanup(protocol.connectionLost)
        return protocol, transport

    def ask(self, **query: Any) -> tuple[Any, PullTransport]:
        """
        @return: a reader that has asked.
        """
        protocol, transport = self.connect()
        protocol.dataReceived(Query(**query).line())
        return protocol, transport

    def note(self, *starts: str, flow: Flow = UDP, callID: str = "call-1") -> None:
        """
        Let messages come.
        """
        for start in starts:
            self.ring.note(flow, False, sip(start, callID))

    def taken(self, transport: PullTransport) -> list[Any]:
        """
        @return: all that the reader gets: the start of each message, and other facts.
        """
        found: list[Any] = []
        while data := transport.take():
            for kind, value in map(parseLine, data.splitlines()):
                isMessage = kind == "message"
                found.append(value.data.split()[0].decode() if isMessage else (kind, value))
        return found


class ReaderTests(ServingCase):
    """
    What a reader gets.
    """

    def test_interface(self) -> None:
        """
        A reader is asked by its transport.
        """
        verifyObject(IPullProducer, self.connect()[0])

    def test_kept(self) -> None:
        """
        Who does not follow gets who the node is, what it has kept, and the end.
        """
        self.note("INVITE", "ACK")
        _, transport = self.ask(follow=False)
        self.assertEqual(self.taken(transport), [("node", "rec1"), "INVITE", "ACK", ("end", "")])
        self.assertTrue(transport.disconnecting)

    def test_untilNow(self) -> None:
        """
        What comes while it reads is not for it.
        """
        self.note("INVITE")
        _, transport = self.ask(follow=False)
        self.note("BYE")
        self.assertEqual(self.taken(transport), [("node", "rec1"), "INVITE", ("end", "")])

    def test_follow(self) -> None:
        """
        Who follows also gets what comes later, soon.
        """
        self.note("INVITE")
        _, transport = self.ask()
        self.assertEqual(self.taken(transport), [("node", "rec1"), "INVITE"])
        self.note("ACK")
        self.note("BYE")
        self.assertEqual(self.taken(transport), [])
        self.reactor.advance(PERIOD)
        self.assertEqual(self.taken(transport), ["ACK", "BYE"])
        self.note("OPTIONS")
        self.reactor.advance(PERIOD)
        self.assertEqual(self.taken(transport), ["OPTIONS"])

    def test_severalFollow(self) -> None:
        """
        Several can follow at a time; one that has gone is forgotten.
        """
        first, second, third = (self.ask() for _ in range(3))
        for _, transport in (first, second, third):
            self.taken(transport)
        first[0].connectionLost()
        self.note("INVITE")
        second[0].connectionLost()
        self.reactor.advance(PERIOD)
        self.assertEqual(self.taken(third[1]), ["INVITE"])
        self.assertEqual((self.taken(first[1]), self.taken(second[1])), ([], []))
        self.assertEqual(self.service.readers, [third[0]])

    def test_masked(self) -> None:
        """
        No secret leaves the node.
        """
        self.ring.note(UDP, False, b"INVITE a SIP/2.0\r\n", b"\r\na=crypto:1 x inline:s3cret")
        _, transport = self.ask(follow=False)
        self.assertNotIn(b"s3cret", transport.value())
        self.assertIn(b"inline:******", transport.value())

    def test_call(self) -> None:
        """
        The messages of one call can be asked for; the others do not come, and those
        before it are passed over without holding up the reactor.
        """
        self.note(*["OPTIONS"] * 60, callID="other")
        self.note("INVITE")
        for query in ({"callID": "call-1"}, {"session": "s"}):
            self.sessions["s"] = succeed(frozenset(("call-1", "x")))
            _, transport = self.ask(**query)
            self.assertEqual(self.taken(transport), [("node", "rec1")])
            for _ in range(3):
                self.reactor.advance(0)
            self.assertEqual(self.taken(transport), ["INVITE"])

    def test_peer(self) -> None:
        """
        So can those of one peer.
        """
        self.note("INVITE")
        self.note("BYE", flow=OTHER)
        for peer, expected in (
            ("192.0.2.7", ["INVITE"]),
            ("192.0.2.7:5070", ["INVITE"]),
            ("192.0.2.7:5060", []),
            ("[2001:db8::8]:5060", ["BYE"]),
        ):
            _, transport = self.ask(follow=False, peer=peer)
            self.assertEqual(self.taken(transport)[1:-1], expected)

    def test_unknownCall(self) -> None:
        """
        A call of which nothing is kept is an error, unless its messages may
        still come.
        """
        self.note("INVITE")
        _, transport = self.ask(follow=False, callID="x")
        why = "no message of call x is kept here"
        self.assertEqual(self.taken(transport), [("node", "rec1"), ("error", why)])
        _, transport = self.ask(callID="x")
        self.assertEqual(self.taken(transport), [("node", "rec1")])

    def test_unknownSession(self) -> None:
        """
        So is a session that nobody knows.
        """
        _, transport = self.ask(session="x")
        self.assertEqual(self.taken(transport), [("error", "x: unknown")])
        self.assertTrue(transport.disconnecting)

    def test_sessionFails(self) -> None:
        """
        A failure that nothing had foreseen is logged, and the reader told.
        """
        self.sessions["s"] = fail(ZeroDivisionError("bug"))
        _, transport = self.ask(session="s")
        self.assertEqual(self.taken(transport), [("error", "bug")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_goneMeanwhile(self) -> None:
        """
        A reader that does not wait for its session gets nothing, and harms nobody.
        """
        asked = self.sessions["s"] = Deferred()
        protocol, transport = self.ask(session="s")
        protocol.connectionLost()
        asked.callback(frozenset())
        self.assertEqual((transport.value(), transport.producer), (b"", None))

    def test_badQuery(self) -> None:
        """
        What is no query is refused, as is one without an end.
        """
        for data in (b"GET / HTTP/1.1\r\n", b'{"peer":"x"}\n', b"x" * 5000):
            protocol, transport = self.connect()
            protocol.dataReceived(data)
            protocol.dataReceived(data)
            [(kind, _)] = self.taken(transport)
            self.assertEqual((kind, transport.disconnecting), ("error", True))

    def test_oneQuery(self) -> None:
        """
        A second query is ignored.
        """
        protocol, transport = self.ask(follow=False)
        protocol.dataReceived(Query().line())
        self.assertEqual(self.taken(transport), [("node", "rec1"), ("end", "")])

    def test_tooMany(self) -> None:
        """
        There are only so many readers at a time.
        """
        for _ in range(MAX_READERS):
            self.connect()
        _, transport = self.connect()
        [(kind, _)] = self.taken(transport)
        self.assertEqual((kind, transport.disconnecting), ("error", True))


class SlowTests(ServingCase):
    """
    Readers that do not read.
    """

    def test_missed(self) -> None:
        """
        For a reader that takes nothing, nothing is kept but what is on its way: it misses what
        the ring has dropped, and is told how much that was.
        """
        self.note("INVITE")
        _, transport = self.ask()
        before = len(transport.value())
        self.note(*["OPTIONS"] * 150)
        self.note("BYE")
        self.reactor.advance(PERIOD)
        self.assertEqual(len(transport.value()), before)
        taken = self.taken(transport)
        self.assertEqual(taken[:3], [("node", "rec1"), "INVITE", ("missed", 51)])
        self.assertEqual((len(taken[3:]), taken[-1]), (100, "BYE"))
        self.assertEqual(self.service.missed, 51)

    def test_parts(self) -> None:
        """
        Long messages go out a few at a time.
        """
        for _ in range(3):
            self.ring.note(TCP, False, sip(), b"x" * 50000)
        _, transport = self.ask(follow=False)
        [_, line] = transport.take().splitlines(), transport.take()
        self.assertLess(len(line), 150_000)
        self.assertEqual(self.taken(transport)[-1], ("end", ""))

    def test_notTaken(self) -> None:
        """
        One that does not even take the end is cut off.
        """
        protocol, transport = self.connect()
        protocol.finish("end", "")
        protocol.finish("end", "")
        self.reactor.advance(1.0)
        self.assertTrue(transport.aborted)


class ServiceTests(ServingCase):
    """
    The socket.
    """

    def test_listen(self) -> None:
        """
        Only the user that the node runs as can connect.
        """
        with capturedLogs() as logs:
            self.service.startService()
        [(address, _, _, mode, _)] = self.reactor.unixServers
        self.assertEqual(mode, 0o600)
        self.assertTrue(os.path.samefile(os.path.dirname(address), os.path.dirname(self.path)))
        self.assertEqual(logs[-1]["path"], self.path)
        self.successResultOf(self.service.stopService())

    def test_off(self) -> None:
        """
        Where nothing is kept, nothing listens.
        """
        self.ring = TraceRing()
        service = self.make()
        service.startService()
        self.assertEqual(self.reactor.unixServers, [])
        self.successResultOf(service.stopService())

    def test_required(self) -> None:
        """
        A socket that is configured and cannot be had ends the start; the error begins
        with the setting.
        """
        error = self.assertRaises(OSError, self.make(TakenReactor(), True).startService)
        self.assertTrue(str(error).startswith(f"trace.socket {self.path}: "), error)
        self.assertIn("not supported", str(error))
        with open(self.path, "w"):
            pass
        error = self.assertRaises(OSError, self.make(required=True).startService)
        self.assertEqual(str(error), f"trace.socket {self.path}: there is a file that is no socket")

    def test_notRequired(self) -> None:
        """
        One that nobody configured is no reason not to record: that it is missing is logged.
        """
        self.path = "/nowhere/" + "x" * 200
        service = self.make()
        with capturedLogs() as logs:
            service.startService()
        self.assertIn("trace.socket /nowhere/x", logs[-1]["why"])
        self.successResultOf(service.stopService())

    def test_stop(self) -> None:
        """
        At the end readers are told, those that are about to get something as well.
        """
        _, transport = self.ask()
        self.taken(transport)
        self.note("INVITE")
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.taken(transport), [("end", "the node stops")])
        self.note("BYE")
        self.assertEqual((self.taken(transport), transport.disconnecting), ([], True))
