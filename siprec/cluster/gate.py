"""
Between the SIP transport and the transactions: nothing passes while this node
does not know whether its calls are still its own.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from siprec.cluster.wakefulness import Wakefulness
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.headers import Via
from siprec.sip.interfaces import IMessageReceiver, ISipTransport
from siprec.sip.message import Request, Response

__all__ = ["Gate"]

log = Logger()

# How responses begin, and the request that is part of an answer.
_ANSWERS = (b"SIP/2.0 ", b"ACK ")

# Messages that are held at most.  Peers on UDP repeat what is dropped.
_MOST = 2000


def _never() -> bool:
    """
    Others are always within reach.
    """
    return False


@implementer(IMessageReceiver, ISipTransport)
@define(eq=False, repr=False)
class Gate:
    """
    Holds what comes, and drops what would be sent, while the node is asleep:
    timers of transactions that run out then must not speak for a call that is
    another node's.  While it is cut off it answers, and asks nothing.

    @ivar counters: C{held} messages, C{overflow}: dropped as too many were held,
        C{suppressed}: not sent, or not answered as they made no sense.
    @ivar transport: what is before the gate; set once it is there.
    @ivar receiver: what is behind it; likewise.
    """

    _wakefulness: Wakefulness
    _isCutOff: Callable[[], bool] = _never
    transport: ISipTransport = field(init=False)
    receiver: IMessageReceiver = field(init=False)
    counters: Counter[str] = field(factory=Counter, init=False)
    _held: deque[tuple[Request | Response, Flow]] = field(factory=deque, init=False)

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        if self._wakefulness.awake and not self._held:
            self.receiver.messageReceived(message, flow)
        elif len(self._held) >= _MOST:
            self.counters["overflow"] += 1
        else:
            self.counters["held"] += 1
            self._held.append((message, flow))
            if len(self._held) == 1:
                self._wait()

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}.
        """
        if self._wakefulness.awake:
            self.receiver.badMessage(error, flow)
        else:
            # It is answered at once or never: the connection may be closed next.
            self.counters["suppressed"] += 1

    def send(self, flow: Flow, data: bytes) -> None:
        """
        See L{ISipTransport.send}.
        """
        silent = self._isCutOff() and not data.startswith(_ANSWERS)
        if self._wakefulness.awake and not silent:
            self.transport.send(flow, data)
        else:
            self.counters["suppressed"] += 1

    def connect(self, transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        See L{ISipTransport.connect}.
        """
        return self.transport.connect(transport, host, port, name)

    def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
        """
        See L{ISipTransport.reply}.
        """
        return self.transport.reply(via, flow)

    def advertised(self, flow: Flow) -> tuple[str, int]:
        """
        See L{ISipTransport.advertised}.
        """
        return self.transport.advertised(flow)

    def _wait(self) -> None:
        waiting = self._wakefulness.whenAwake().addCallback(self._open)
        waiting.addErrback(lambda failure: log.failure("the gate did not open", failure))

    def _open(self, _: None) -> None:
        # What comes meanwhile comes behind them.
        while self._held and self._wakefulness.awake:
            message, flow = self._held.popleft()
            try:
                self.receiver.messageReceived(message, flow)
            except Exception:
                # The others must not be held for ever because of it.
                log.failure("a message that was held was not taken")
        if self._held:
            self._wait()
