"""
Every timer of RFC 3261 table 4 and RFC 6026 on a clock, as peers see it.
"""

from twisted.internet.defer import Deferred

from siprec.sip.flow import Flow
from siprec.sip.interfaces import TransactionTimeout
from siprec.sip.message import Request, Response
from tests.sip.layercase import LayerTestCase
from tests.sip.traffic import TCP, UDP, answer, request

_STEP = 0.25


class _TimersTestCase(LayerTestCase):
    """
    What is sent, and when.
    """

    def pump(self, seconds: float) -> list[float]:
        """
        Let time go by.

        @return: when each message was sent meanwhile.
        """
        self.wire.sent.clear()
        self.clock.pump([_STEP] * round(seconds / _STEP))
        return [when for when, _, _ in self.wire.sent]


class ClientTimers(_TimersTestCase):
    """
    Requests of our own.
    """

    def ask(self, method: str, flow: Flow = UDP) -> tuple[Deferred[Response], Request]:
        """
        Send a request.

        @return: its result, and the request as it was sent.
        """
        asked = request(method, toTag="t")
        self.copies: list[Response] = []
        result = self.layer.sendRequest(
            Request(method, asked.uri, asked.headers.without("Via")), flow, self.copies.append
        )
        (sent,) = self.wire.take()
        assert isinstance(sent, Request)
        return result, sent

    def test_D1_timerA(self) -> None:
        """
        An INVITE is repeated after T1, doubling without bound, and only over
        UDP.
        """
        result, _ = self.ask("INVITE")
        self.assertEqual(self.pump(31), [0.5, 1.5, 3.5, 7.5, 15.5])
        self.layer.stop()
        self.failureResultOf(result)

    def test_D1_timerA_reliable(self) -> None:
        """
        Over TCP it is sent once.
        """
        result, _ = self.ask("INVITE", TCP)
        self.assertEqual(self.pump(31), [])
        self.layer.stop()
        self.failureResultOf(result)

    def test_D1_timerB(self) -> None:
        """
        An INVITE without any answer is given up after 64*T1; after a 1xx it is
        not.
        """
        result, _ = self.ask("INVITE", TCP)
        self.pump(31.75)
        self.assertNoResult(result)
        self.pump(0.25)
        self.failureResultOf(result, TransactionTimeout)
        result, sent = self.ask("INVITE", TCP)
        self.receive(answer(sent, 180), flow=TCP)
        self.pump(100)
        self.assertNoResult(result)
        self.layer.stop()
        self.failureResultOf(result)

    def test_D1_timerD(self) -> None:
        """
        A rejection that comes again is acknowledged again, for 32 s over UDP
        and not at all over TCP.
        """
        for flow, seconds in ((UDP, 31.75), (TCP, 0.0)):
            result, sent = self.ask("INVITE", flow)
            self.receive(answer(sent, 486), flow=flow)
            self.assertEqual(self.wire.methods(), ["ACK"])
            self.pump(seconds)
            if seconds:
                self.receive(answer(sent, 486), flow=flow)
                self.assertEqual(self.wire.methods(), ["ACK"])
            self.pump(0.25)
            self.receive(answer(sent, 486), flow=flow)
            self.assertEqual(self.wire.methods(), [])
            self.assertEqual(self.successResultOf(result).status, 486)

    def test_D1_timerE(self) -> None:
        """
        Another request is repeated after T1, doubling up to T2; after a 100
        every T2.
        """
        result, sent = self.ask("UPDATE")
        self.assertEqual(self.pump(12), [0.5, 1.5, 3.5, 7.5, 11.5])
        self.receive(answer(sent, 100))
        self.assertEqual(self.pump(12), [15.5, 19.5, 23.5])
        self.layer.stop()
        self.failureResultOf(result)

    def test_D1_timerF(self) -> None:
        """
        Another request without a final answer is given up after 64*T1, whether
        there was a 100 or not.
        """
        for early in (False, True):
            result, sent = self.ask("UPDATE", TCP)
            if early:
                self.receive(answer(sent, 100), flow=TCP)
            self.pump(31.75)
            self.assertNoResult(result)
            self.pump(0.25)
            self.failureResultOf(result, TransactionTimeout)

    def test_D1_timerK(self) -> None:
        """
        Further responses are absorbed for T4 over UDP; later ones, and those
        over TCP, are strays.
        """
        for flow, seconds in ((UDP, 5.0), (TCP, 0.0)):
            result, sent = self.ask("BYE", flow)
            self.receive(answer(sent, 200), flow=flow)
            self.successResultOf(result)
            self.assertEqual(len(self.layer._clients), 1)
            self.clock.advance(seconds)
            self.assertEqual(len(self.layer._clients), 0)

    def test_D1_timerM(self) -> None:
        """
        Each further 2xx to an INVITE is given to the user for 64*T1, on every
        transport.
        """
        for flow in (UDP, TCP):
            result, sent = self.ask("INVITE", flow)
            self.receive(answer(sent, 200), flow=flow)
            self.successResultOf(result)
            self.pump(31.75)
            self.receive(answer(sent, 200), flow=flow)
            self.assertEqual(len(self.copies), 1)
            self.pump(0.25)
            self.receive(answer(sent, 200), flow=flow)
            self.assertEqual(len(self.copies), 1)


class ServerTimers(_TimersTestCase):
    """
    Requests of the peer's.
    """

    def test_D1_timerG(self) -> None:
        """
        A rejection is repeated after T1, doubling up to T2, over UDP only.
        """
        self.receive(request())
        self.respond(486)
        self.assertEqual(self.pump(20), [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5])
        self.receive(request(number=3), flow=TCP)
        self.respond(486)
        self.wire.take()
        self.layer.counters.clear()
        self.pump(12)
        self.assertEqual(self.pump(20), [])

    def test_D1_timerH(self) -> None:
        """
        The ACK is not awaited any more after 64*T1, on every transport.
        """
        for flow in (UDP, TCP):
            self.receive(request(), flow=flow)
            self.respond(486)
            self.pump(31.75)
            self.assertEqual(len(self.user.ended), 0)
            self.pump(0.25)
            self.assertEqual(len(self.user.ended), 1)
            self.assertEqual(self.layer.counters["unacknowledgedRejections"], 1)
            self.user.ended.clear()
            self.layer.counters.clear()

    def test_D1_timerI(self) -> None:
        """
        Once acknowledged, further ACKs are absorbed for T4 over UDP, and the
        transaction ends at once over TCP.
        """
        for flow, seconds in ((UDP, 5.0), (TCP, 0.0)):
            self.receive(request(), flow=flow)
            self.respond(486)
            self.receive(request("ACK", toTag="srs1"), flow=flow)
            self.clock.advance(seconds / 2)
            if seconds:
                self.receive(request("ACK", toTag="srs1"), flow=flow)
                self.assertEqual(self.user.ended, [])
            self.clock.advance(seconds / 2)
            self.assertEqual((len(self.user.ended), self.user.acks), (1, []))
            self.user.ended.clear()

    def test_D1_timerJ(self) -> None:
        """
        Copies of another request get the same answer for 64*T1 over UDP; over
        TCP none is awaited.
        """
        self.receive(request("BYE", toTag="t"))
        self.respond(200)
        self.pump(31.75)
        self.receive(request("BYE", toTag="t"))
        self.assertEqual(self.wire.statuses(), [200])
        self.pump(0.25)
        self.assertEqual(len(self.user.ended), 1)
        self.receive(request("BYE", toTag="t"), flow=TCP)
        self.respond(200)
        self.clock.advance(0)
        self.assertEqual(len(self.user.ended), 2)

    def test_D1_timerL(self) -> None:
        """
        After a 2xx copies of the INVITE are absorbed for 64*T1, on every
        transport.
        """
        for flow in (UDP, TCP):
            self.receive(request(), flow=flow)
            self.respond(200)
            self.pump(31.75)
            self.receive(request(), flow=flow)
            self.assertEqual(self.wire.statuses(), [])
            self.assertEqual(self.user.ended, [])
            self.pump(0.25)
            self.assertEqual(len(self.user.ended), 1)
            self.user.ended.clear()
