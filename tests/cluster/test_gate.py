"""
Tests of L{siprec.cluster.gate}.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from siprec.cluster.gate import Gate
from siprec.cluster.wakefulness import Wakefulness
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IMessageReceiver, ISipTransport
from siprec.sip.message import Request, Response
from siprec.testing.fakes import FakeSipTransport
from tests.sip.traffic import UDP, request


@implementer(IMessageReceiver)
@define(eq=False)
class Receiver:
    """
    Keeps the numbers of the requests that it is given.

    @ivar onMessage: is called with each.
    """

    got: list[int] = field(factory=list)
    bad: list[BadMessage] = field(factory=list)
    onMessage: Callable[[int], object] = field(default=lambda number: None)

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        self.got.append(message.cseq.number)
        self.onMessage(message.cseq.number)

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}.
        """
        self.bad.append(error)


class GateTests(SynchronousTestCase):
    """
    Nothing passes while the node does not know which calls are its own.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.verifying: list[Deferred[None]] = []
        self.wakefulness = Wakefulness(self.clock, 1.5, self.verify)
        self.wakefulness.startService()
        self.gate = Gate(self.wakefulness)
        self.gate.transport = self.transport = FakeSipTransport()
        self.gate.receiver = self.receiver = Receiver()
        self.addCleanup(lambda: self.successResultOf(self.wakefulness.stopService()))

    def verify(self) -> Deferred[None]:
        """
        Begin to find out.
        """
        done: Deferred[None] = Deferred()
        self.verifying.append(done)
        return done

    def freeze(self) -> None:
        """
        Stand still for twenty seconds.
        """
        self.clock.rightNow += 20

    def comes(self, *numbers: int) -> None:
        """
        Requests with these numbers come.
        """
        for number in numbers:
            self.gate.messageReceived(request("INFO", number=number), UDP)

    def test_interfaces(self) -> None:
        """
        A gate is a receiver to the transport, and a transport to what is behind it.
        """
        verifyObject(IMessageReceiver, self.gate)
        verifyObject(ISipTransport, self.gate)
        verifyObject(IMessageReceiver, self.receiver)

    def test_awake(self) -> None:
        """
        A node that is awake hears and speaks.
        """
        self.comes(1)
        error = BadMessage("no", b"")
        self.gate.badMessage(error, UDP)
        self.gate.send(UDP, b"x")
        self.assertEqual((self.receiver.got, self.receiver.bad), ([1], [error]))
        self.assertEqual(self.transport.sent, [(UDP, b"x")])
        self.assertEqual(self.gate.advertised(UDP), ("192.0.2.9", 5060))
        self.assertEqual(self.successResultOf(self.gate.reply(request().via, UDP)), UDP)
        found = self.successResultOf(self.gate.connect("UDP", "192.0.2.7", 5060))
        self.assertEqual(found.remote, ("192.0.2.7", 5060))
        self.assertEqual(self.gate.counters, {})

    def test_frozen(self) -> None:
        """
        After a pause the first message finds out, and waits with those behind it, in
        their order, until it is clear whose the calls are.
        """
        self.freeze()
        self.comes(1, 2, 3)
        self.assertEqual((self.receiver.got, len(self.verifying)), ([], 1))
        self.verifying[0].callback(None)
        self.assertEqual(self.receiver.got, [1, 2, 3])
        self.comes(4)
        self.assertEqual(self.receiver.got, [1, 2, 3, 4])
        self.assertEqual(self.gate.counters, {"held": 3})

    def test_timers(self) -> None:
        """
        A timer that runs out first says nothing to anybody.
        """
        self.freeze()
        self.gate.send(UDP, b"BYE")
        self.verifying[0].callback(None)
        self.assertEqual((self.transport.sent, self.gate.counters), ([], {"suppressed": 1}))
        self.gate.send(UDP, b"x")
        self.assertEqual(len(self.transport.sent), 1)

    def test_badMessage(self) -> None:
        """
        What makes no sense is not kept: by then its connection may be closed.
        """
        self.freeze()
        self.gate.badMessage(BadMessage("no", b""), UDP)
        self.verifying[0].callback(None)
        self.assertEqual((self.receiver.bad, self.gate.counters), ([], {"suppressed": 1}))

    def test_meanwhile(self) -> None:
        """
        What comes while the first ones are passed on comes behind them.
        """
        self.receiver.onMessage = lambda number: self.comes(3) if number == 1 else None
        self.freeze()
        self.comes(1, 2)
        self.verifying[0].callback(None)
        self.assertEqual(self.receiver.got, [1, 2, 3])

    def test_again(self) -> None:
        """
        If the node is in doubt again while they are passed on, the rest waits again.
        """
        self.receiver.onMessage = lambda number: self.wakefulness.doubt("the test says so")
        self.freeze()
        self.comes(1, 2, 3)
        self.verifying[0].callback(None)
        self.assertEqual(self.receiver.got, [1])
        self.comes(4)
        self.verifying[1].callback(None)
        self.assertEqual(self.receiver.got, [1, 2])
        self.receiver.onMessage = lambda number: None
        self.verifying[2].callback(None)
        self.assertEqual(self.receiver.got, [1, 2, 3, 4])

    def test_failure(self) -> None:
        """
        A message that nobody foresaw does not hold up those behind it for ever.
        """
        self.receiver.onMessage = lambda number: 1 // (number - 1)
        self.freeze()
        self.comes(1, 2)
        self.verifying[0].callback(None)
        self.assertEqual(self.receiver.got, [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_overflow(self) -> None:
        """
        So many are held at most; peers on UDP repeat what is dropped.
        """
        self.freeze()
        self.comes(*range(1, 2003))
        self.assertEqual(self.gate.counters, {"held": 2000, "overflow": 2})
        self.verifying[0].callback(None)
        self.assertEqual(self.receiver.got, list(range(1, 2001)))
