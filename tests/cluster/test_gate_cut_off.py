"""
Tests of L{siprec.cluster.gate}: a node that is cut off.
"""

from __future__ import annotations

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.gate import Gate
from siprec.cluster.wakefulness import Wakefulness
from siprec.sip.flow import Flow
from siprec.testing.fakes import FakeSipTransport

_FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060))


class CutOffTests(SynchronousTestCase):
    """
    It answers, and asks nothing.
    """

    def test_send(self) -> None:
        """
        Responses and ACKs go out, no other request does: not even the copy of
        one that was sent before.
        """
        cutOff = [True]
        wakefulness = Wakefulness(Clock(), 1.5, lambda: succeed(None))
        gate = Gate(wakefulness, lambda: cutOff[0])
        gate.transport = transport = FakeSipTransport()
        messages = [b"SIP/2.0 200 OK\r\n", b"ACK sip:a SIP/2.0\r\n", b"UPDATE sip:a SIP/2.0\r\n"]
        for each in messages:
            gate.send(_FLOW, each)
        self.assertEqual([data for _, data in transport.sent], messages[:2])
        self.assertEqual(gate.counters["suppressed"], 1)
        cutOff[0] = False
        gate.send(_FLOW, messages[2])
        self.assertEqual([data for _, data in transport.sent], messages)
