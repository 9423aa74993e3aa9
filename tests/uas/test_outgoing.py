"""
Tests for L{siprec.uas.outgoing}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.parse import parseSDP
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.interfaces import Abandoned, FlowGone, TransactionTimeout
from siprec.sip.layer import SipLayer
from siprec.sip.locate import Locator
from siprec.sip.message import Request, Response, makeResponse
from siprec.sip.sessiontimer import Agreed
from siprec.uas.outgoing import Outgoing, refreshRequest
from tests.sip.test_locate import Hosts, Server, pointer, service
from tests.uas.house import Wire
from tests.uas.kit import PEER, offer

LOCAL = ("192.0.2.1", 5060)
UDP = Flow("UDP", LOCAL, (PEER, 5071))
TCP = Flow("TCP", LOCAL, (PEER, 33000), 900)
DIALOG = Dialog(
    callID="one",
    localTag="ours",
    remoteTag="theirs",
    localAddr="<sip:srs@192.0.2.1>",
    remoteAddr="<sip:src@192.0.2.7>",
    remoteTarget="sip:src@192.0.2.8:5080",
    localContact="<sip:192.0.2.1:5060>;+sip.srs",
    localCSeq=0,
    remoteCSeq=1,
)


class _OutgoingTestCase(SynchronousTestCase):
    """
    A layer on a wire.
    """

    def setUp(self) -> None:
        self.clock, self.wire = Clock(), Wire()
        self.layer = SipLayer(self.clock, self.wire)
        self.outgoing = Outgoing(self.layer, self.wire)
        self.addCleanup(self.layer.stop)

    def send(self, dialog: Dialog, flow: Flow, method: str = "UPDATE") -> Deferred[Response]:
        """
        Send a request.
        """
        after, self.request = dialog.request(method)
        return Deferred.fromCoroutine(self.outgoing.send(after, self.request, flow))

    def reached(self) -> list[tuple[str, tuple[str, int], int]]:
        """
        @return: transport, address and connection that each message went by.
        """
        return [(flow.transport, flow.remote, flow.connection) for flow, _ in self.wire.sent]

    def answer(self, status: int = 200, *headers: tuple[str, str]) -> None:
        """
        Answer what was sent last.
        """
        request = self.wire.take()[-1]
        assert isinstance(request, Request)
        self.layer.messageReceived(makeResponse(request, status, headers=headers), UDP)


class WayTests(_OutgoingTestCase):
    """
    The way that a request takes.
    """

    def _way(self, target: str, flow: Flow = UDP) -> tuple[str, tuple[str, int], int]:
        self.wire.sent.clear()
        self.send(evolve(DIALOG, remoteTarget=target), flow).addErrback(lambda failure: None)
        [way] = self.reached()
        return way

    def test_UDP(self) -> None:
        """
        To the next hop where that is an address, from the local address that
        the peer knows.
        """
        self.assertEqual(self._way("sip:192.0.2.8:5080")[1], ("192.0.2.8", 5080))
        self.assertEqual(self.wire.sent[0][0].local, LOCAL)
        self.assertEqual(self._way("sip:192.0.2.8")[1], ("192.0.2.8", 5060))
        self.assertEqual(self._way("sip:[2001:db8::8]")[1], ("2001:db8::8", 5060))

    def test_UDPElsewhere(self) -> None:
        """
        Else back to where the peer's requests come from.
        """
        for target in ("sip:src.example.com", "tel:+4930123", "no URI"):
            self.assertEqual(self._way(target)[1], (PEER, 5071), target)

    def test_route(self) -> None:
        """
        A route comes before the target.
        """
        routed = evolve(DIALOG, routeSet=("<sip:192.0.2.99:5090;lr>",))
        self.send(routed, UDP).addErrback(lambda failure: None)
        self.assertEqual(self.reached(), [("UDP", ("192.0.2.99", 5090), 0)])

    def test_openConnection(self) -> None:
        """
        An open connection is used, wherever the target points.
        """
        self.assertEqual(self._way("sip:10.0.0.1", TCP), ("TCP", TCP.remote, 900))

    def test_closedConnection(self) -> None:
        """
        A closed one is replaced: by one to the target, which may be a name,
        and never to the port that the peer's own connection came from.
        """
        self.wire.closed.add(TCP)
        self.assertEqual(self._way("sip:192.0.2.8", TCP)[1], ("192.0.2.8", 5060))
        self.assertEqual(self._way("sip:src.example.com", TCP)[1], ("src.example.com", 5060))
        tls = evolve(TCP, transport="TLS")
        self.wire.closed.add(tls)
        self.assertEqual(self._way("sip:src.example.com", tls)[1], ("src.example.com", 5061))

    def test_transportOfTheTarget(self) -> None:
        """
        A target that names a transport is tried by that first, and then by the
        one that the peer has used.
        """
        target = "sip:192.0.2.8:5080;transport=tcp"
        self.assertEqual(self._way(target), ("TCP", ("192.0.2.8", 5080), 1))
        self.wire.deaf.add("TCP")
        self.assertEqual(self._way(target), ("UDP", ("192.0.2.8", 5080), 0))

    def test_D2_sips_target(self) -> None:
        """
        To a SIPS target, and in a dialog that was made by one, requests go over
        TLS, whatever the peer itself has used.
        """
        self.assertEqual(self._way("sips:192.0.2.8"), ("TLS", ("192.0.2.8", 5061), 1))
        way = self._way("SIPS:192.0.2.8:5999;transport=udp", TCP)
        self.assertEqual(way[:2], ("TLS", ("192.0.2.8", 5999)))
        self.wire.sent.clear()
        for dialog in (
            evolve(DIALOG, secure=True),
            evolve(DIALOG, routeSet=("<sips:192.0.2.8:5080;lr>",)),
        ):
            self.send(dialog, UDP).addErrback(lambda failure: None)
            self.assertEqual(self.reached()[-1][:2], ("TLS", ("192.0.2.8", 5080)))

    def test_D2_sips_ownConnection(self) -> None:
        """
        The peer's own connection is used for it if it is one of TLS.
        """
        tls = evolve(TCP, transport="TLS")
        self.assertEqual(self._way("sips:192.0.2.8", tls), ("TLS", TCP.remote, 900))

    def test_D2_sips_noWay(self) -> None:
        """
        Where no TLS can be had, nothing is sent at all.
        """
        self.wire.deaf.add("TLS")
        for target in ("sips:192.0.2.8", "sips:src.example.com", "sips:%"):
            for flow in (UDP, TCP):
                dialog = evolve(DIALOG, remoteTarget=target)
                self.failureResultOf(self.send(dialog, flow), FlowGone)
        self.assertEqual(self.wire.sent, [])

    def test_connectionOfAnotherNode(self) -> None:
        """
        A connection of another node is not this one's to send by: a new one is made.
        """
        self.send(DIALOG, evolve(TCP, relay="a"))
        self.assertEqual(self.reached(), [("TCP", ("192.0.2.8", 5080), 1)])
        self.answer()

    def test_datagramOfAnotherNode(self) -> None:
        """
        A datagram leaves from an address of this node, too, whoever received the
        peer's; so that the Via names one at which the answer is heard.
        """
        self.send(DIALOG, evolve(UDP, local=("192.0.2.99", 5060), relay="a"))
        [(flow, _)] = self.wire.sent
        self.assertEqual((flow.relay, flow.local), ("", self.wire.local))
        self.answer()

    def test_abandon(self) -> None:
        """
        When another process has the dialog, nothing of it is sent again.
        """
        sending = self.send(DIALOG, UDP, "INVITE")
        self.wire.take()
        self.outgoing.abandon(DIALOG)
        self.failureResultOf(sending, Abandoned)
        self.assertEqual((self.clock.getDelayedCalls(), self.wire.sent), ([], []))

    def test_abandonConnection(self) -> None:
        """
        Not by another way either: a connection that is open is not replaced, and
        a large request does not go over UDP instead.
        """
        large = DIALOG.request("UPDATE", body=b"x" * 2000, contentType="text/plain")
        for flow, (_, request) in ((TCP, DIALOG.request("UPDATE")), (UDP, large)):
            sending = Deferred.fromCoroutine(self.outgoing.send(DIALOG, request, flow))
            self.wire.take()
            self.outgoing.abandon(DIALOG)
            self.failureResultOf(sending, Abandoned)
            self.assertEqual((self.clock.getDelayedCalls(), self.wire.sent), ([], []))


class LargeTests(_OutgoingTestCase):
    """
    Requests that are too large for UDP (RFC 3261 section 18.1.1).
    """

    def _send(self, size: int) -> list[str]:
        after, request = DIALOG.request("UPDATE", body=b"x" * size, contentType="text/plain")
        sending = Deferred.fromCoroutine(self.outgoing.send(after, request, UDP))
        sending.addErrback(lambda failure: None)
        sent = [flow.transport for flow, _ in self.wire.sent]
        self.wire.sent.clear()
        return sent

    def test_D2_large_overTCP(self) -> None:
        """
        Above 1,300 bytes a request goes over TCP, to the same place.
        """
        self.assertEqual(self._send(500), ["UDP"])
        self.assertEqual(self._send(1200), ["TCP"])

    def test_D2_large_fallback(self) -> None:
        """
        Where nobody listens it goes over UDP, and so do the next ones at once.
        """
        self.wire.deaf.add("TCP")
        self.assertEqual(self._send(1200), ["UDP"])
        self.wire.deaf.clear()
        self.assertEqual(self._send(1200), ["UDP"])

    def test_D2_large_bounded(self) -> None:
        """
        Only so many peers are remembered for that.
        """
        self.wire.deaf.add("TCP")
        for port in range(1, 1101):
            dialog = evolve(DIALOG, remoteTarget=f"sip:src@192.0.2.8:{port}")
            after, request = dialog.request("UPDATE", body=b"x" * 1300, contentType="a/b")
            sending = Deferred.fromCoroutine(self.outgoing.send(after, request, UDP))
            sending.addErrback(lambda failure: None)
        self.assertEqual(len(self.outgoing._withoutTCP), 1000)


class NameTests(_OutgoingTestCase):
    """
    Targets that are names (RFC 3263).
    """

    def setUp(self) -> None:
        super().setUp()
        self.server = Server(
            {
                "_sip._udp.src.example.com": [
                    service("192.0.2.11", 5060, 1),
                    service("192.0.2.12", 5062, 2),
                ],
                "_sip._tcp.src.example.com": [service("192.0.2.13", 5060)],
            }
        )
        locator = Locator(lambda: self.server, Hosts(), self.clock)
        self.outgoing = Outgoing(self.layer, self.wire, locator)
        self.dialog = evolve(DIALOG, remoteTarget="sip:src.example.com;transport=udp")

    def test_D2_locate_first(self) -> None:
        """
        The first place is tried first.
        """
        sending = self.send(self.dialog, UDP)
        self.assertEqual(self.reached(), [("UDP", ("192.0.2.11", 5060), 0)])
        self.answer()
        self.assertEqual(self.successResultOf(sending).status, 200)

    def test_D2_locate_503(self) -> None:
        """
        A 503 leads to the next place, with another branch; other answers count.
        """
        sending = self.send(self.dialog, UDP)
        [first] = self.wire.take()
        self.layer.messageReceived(makeResponse(first, 503), UDP)  # type: ignore[arg-type]
        self.assertEqual(self.reached(), [("UDP", ("192.0.2.12", 5062), 0)])
        [second] = self.wire.take()
        self.assertNotEqual(first.via.branch, second.via.branch)
        self.assertEqual(first.cseq, second.cseq)
        self.layer.messageReceived(makeResponse(second, 488), UDP)  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(sending).status, 488)

    def test_D2_locate_timeout(self) -> None:
        """
        So does silence; the last place is where the peer's requests come from.
        """
        sending = self.send(self.dialog, UDP)
        self.clock.pump([0.5] * 128)
        self.wire.take()
        self.clock.pump([0.5] * 4)
        self.assertEqual({remote for _, remote, _ in self.reached()}, {(PEER, 5071)})
        self.clock.pump([0.5] * 64)
        self.failureResultOf(sending, TransactionTimeout)

    def test_D2_locate_abandoned(self) -> None:
        """
        A dialog that another process has goes to no further place.
        """
        sending = self.send(self.dialog, UDP)
        self.wire.take()
        self.outgoing.abandon(self.dialog)
        self.failureResultOf(sending, Abandoned)
        self.assertEqual(self.wire.sent, [])

    def test_D2_locate_stream(self) -> None:
        """
        A closed connection is replaced by one to the place that was found; TLS
        stays TLS.
        """
        self.wire.closed.add(TCP)
        dialog = evolve(DIALOG, remoteTarget="sip:src.example.com;transport=tcp")
        self.send(dialog, TCP).addErrback(lambda failure: None)
        self.assertEqual(self.reached()[0][:2], ("TCP", ("192.0.2.13", 5060)))
        self.wire.sent.clear()
        tls = evolve(TCP, transport="TLS")
        self.wire.closed.add(tls)
        self.send(dialog, tls).addErrback(lambda failure: None)
        self.assertEqual(self.reached()[0][:2], ("TLS", ("src.example.com", 5061)))

    def test_D2_sips_located(self) -> None:
        """
        A SIPS target that is a name: over TLS only, and at the address that is
        found the certificate of the name is asked for (RFC 5922 section 7.3).
        """
        self.server.records["_sips._tcp.src.example.com"] = [service("192.0.2.14", 5071)]
        self.server.records["src.example.com"] = [
            pointer("SIP+D2U", "_sip._udp.src.example.com", 1)
        ]
        dialog = evolve(DIALOG, remoteTarget="sips:src.example.com")
        self.send(dialog, UDP).addErrback(lambda failure: None)
        self.assertEqual(self.reached(), [("TLS", ("192.0.2.14", 5071), 1)])
        self.assertEqual(self.wire.wanted, ["src.example.com"])

    def test_D2_locate_otherTransport(self) -> None:
        """
        Without a transport in the URI those of the records are tried, from TCP
        to UDP as well.
        """
        self.server.records["src.example.com"] = [
            pointer("SIP+D2U", "_sip._udp.src.example.com", 1)
        ]
        self.wire.closed.add(TCP)
        dialog = evolve(DIALOG, remoteTarget="sip:src.example.com")
        self.send(dialog, TCP).addErrback(lambda failure: None)
        self.assertEqual(self.reached()[0][:2], ("UDP", ("192.0.2.11", 5060)))

    def test_D2_locate_unknown(self) -> None:
        """
        A name that nobody knows: back to where the peer's requests come from.
        """
        self.server.records.clear()
        self.send(self.dialog, UDP).addErrback(lambda failure: None)
        self.assertEqual(self.reached(), [("UDP", (PEER, 5071), 0)])


class SendTests(_OutgoingTestCase):
    """
    What becomes of a request.
    """

    def test_response(self) -> None:
        """
        The final response is the result, whatever it says.
        """
        sending = self.send(DIALOG, UDP)
        self.answer(500)
        self.assertEqual(self.successResultOf(sending).status, 500)
        self.assertEqual(self.wire.take(), [])

    def test_timeout(self) -> None:
        """
        A peer that does not answer.
        """
        sending = self.send(DIALOG, UDP)
        self.clock.pump([0.5] * 64)
        self.failureResultOf(sending, TransactionTimeout)

    def test_gone(self) -> None:
        """
        A peer that cannot be reached.
        """
        self.wire.gone = True
        self.failureResultOf(self.send(DIALOG, UDP), FlowGone)
        self.failureResultOf(self.send(DIALOG, TCP), FlowGone)

    def test_acknowledged(self) -> None:
        """
        Each 2xx to an INVITE is acknowledged, to where its Contact points.
        """
        sending = self.send(DIALOG, UDP, "INVITE")
        [invite] = self.wire.take()
        assert isinstance(invite, Request)
        contact = ("Contact", "<sip:src@192.0.2.9>")
        for _ in range(2):
            self.layer.messageReceived(makeResponse(invite, 200, headers=[contact]), UDP)
            [ack] = self.wire.take()
            assert isinstance(ack, Request)
            self.assertEqual((ack.method, ack.cseq.number), ("ACK", invite.cseq.number))
            self.assertEqual(ack.uri, "sip:src@192.0.2.9")
        self.assertEqual(self.successResultOf(sending).status, 200)

    def test_rejectedInvite(self) -> None:
        """
        The ACK to a rejection is the transaction's.
        """
        sending = self.send(DIALOG, UDP, "INVITE")
        self.answer(488)
        self.assertEqual(self.successResultOf(sending).status, 488)
        [ack] = self.wire.take()
        assert isinstance(ack, Request)
        self.assertEqual((ack.method, len(ack.vias)), ("ACK", 1))


class ByeTests(_OutgoingTestCase):
    """
    The end of a dialog.
    """

    def _bye(self) -> Deferred[Dialog]:
        return Deferred.fromCoroutine(self.outgoing.bye(DIALOG, UDP, 408, 'no "ACK"'))

    def test_D4_reason_given(self) -> None:
        """
        The BYE says why (RFC 3326), and uses up a number.
        """
        ending = self._bye()
        [bye] = self.wire.take()
        assert isinstance(bye, Request)
        self.assertEqual(bye.headers.get("Reason"), r'SIP;cause=408;text="no \"ACK\""')
        self.assertNoResult(ending)
        self.layer.messageReceived(makeResponse(bye, 200), UDP)
        self.assertEqual(self.successResultOf(ending).localCSeq, bye.cseq.number)

    def test_unanswered(self) -> None:
        """
        The dialog is over without an answer, too.
        """
        ending = self._bye()
        self.clock.pump([0.5] * 64)
        self.assertEqual(self.successResultOf(ending).localCSeq, 1)


class RefreshTests(SynchronousTestCase):
    """
    The request that refreshes a session (RFC 4028 section 7.4).
    """

    agreed = Agreed(90, "uas", ours=True)
    local = parseSDP(offer())

    def test_update(self) -> None:
        """
        An UPDATE without a description, where the peer takes that.
        """
        dialog, request = refreshRequest(DIALOG, self.agreed, self.local, updates=True)
        self.assertEqual((request.method, request.body), ("UPDATE", b""))
        self.assertEqual(request.headers.get("Session-Expires"), "90;refresher=uac")
        self.assertEqual(dialog.localCSeq, request.cseq.number)

    def test_invite(self) -> None:
        """
        Else a re-INVITE with the description as it was sent last.
        """
        _, request = refreshRequest(DIALOG, self.agreed, self.local, updates=False)
        self.assertEqual((request.method, request.body), ("INVITE", self.local.serialize()))
        self.assertEqual(request.headers.get("Content-Type"), "application/sdp")

    def test_nothingSent(self) -> None:
        """
        Where no description was sent there is none to repeat.
        """
        _, request = refreshRequest(DIALOG, self.agreed, None, updates=False)
        self.assertEqual(request.method, "UPDATE")
