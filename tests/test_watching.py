"""
Tests of L{siprec.watching} and of a real node, put together.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from siprec.assembly import makeNode
from siprec.node import Node
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction, ITransactionUser
from siprec.sip.message import Request, parseMessage
from siprec.testing.fakes import FakeSipTransport
from tests.callparts import LivePart
from tests.nodeparts import FakeReactor, settingsFor
from tests.session.recordings import dialog, session
from tests.session.servicecase import metric


@implementer(ITransactionUser)
class _BrokenUser:
    """
    Has a bug.
    """

    def requestReceived(
        self, transaction: IServerTransaction, request: Request, flow: Flow
    ) -> None:
        raise ValueError("bug")

    def ackReceived(self, ack: Request, flow: Flow) -> None: ...

    def cancelReceived(self, transaction: IServerTransaction, cancel: Request) -> None: ...

    def transactionEnded(self, transaction: IServerTransaction) -> None: ...


_OPTIONS = (
    b"OPTIONS sip:srs@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:srs@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


class MakeTests(SynchronousTestCase):
    """
    A real node, put together but not started.
    """

    def setUp(self) -> None:
        self.reactor: Any = FakeReactor()
        self.root = os.path.abspath(self.mktemp())
        self.node = self.make()

    def make(self, **overrides: object) -> Node:
        """
        @return: a node whose SIP messages go nowhere.
        """
        node = makeNode(self.reactor, settingsFor(self.root, **overrides))
        node.layer.transport = FakeSipTransport()
        return node

    def request(self, node: Node) -> None:
        """
        Let a request come.
        """
        message = parseMessage(_OPTIONS)
        node.layer.messageReceived(message, Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5060)))

    def test_nothingOpened(self) -> None:
        """
        Nothing is opened, and no directory made, before the start.
        """
        self.assertFalse(os.path.exists(self.root))
        self.assertEqual(self.node.sipAddresses, [])
        self.assertIsNone(self.node.httpAddress)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_shortRepr(self) -> None:
        """
        What a node says of itself does not grow with its calls: the standard
        library asks for it at each process that is started, and for hundreds
        of calls that took seconds.
        """
        node = self.node
        for part in (node, node.recorder, node.sessions, node.store, node.capture):
            self.assertLess(len(repr(part)), 200)

    def test_wired(self) -> None:
        """
        Requests reach the recorder and are answered by its transport.
        """
        self.request(self.node)
        sip: Any = self.node.layer.transport
        [answer] = sip.take()
        # Nobody has looked at the disk yet.
        self.assertEqual(answer.status, 503)
        self.node.layer.stop()

    def test_dropped(self) -> None:
        """
        Only what got no answer counts as dropped.
        """
        counters = self.node.layer.counters
        dropped = ("badMessages", "strayAcks", "strayResponses", "lateResponses", "afterStop")
        for name in (*dropped, "retransmissions", "badRequests", "sendFailures"):
            counters[name] += 1
        text = self.node.metrics.exposition().decode()
        for name in dropped:
            self.assertIn(f'siprec_sip_dropped_total{{reason="{name}"}} 1.0', text)
        self.assertEqual(text.count("siprec_sip_dropped_total{"), len(dropped))

    def test_refused(self) -> None:
        """
        What the doorway and the recorder refuse is counted together, by the
        reason; what happens to sockets, by what it was.
        """
        self.node.entrance.doorway.refused["stranger"] += 2
        self.node.recorder.refused["otherPeer"] += 1
        self.node.transport.counters["handshakeFailures"] += 3
        text = self.node.metrics.exposition().decode()
        for line in (
            'siprec_sip_refused_total{reason="stranger"} 2.0',
            'siprec_sip_refused_total{reason="otherPeer"} 1.0',
            'siprec_sip_transport_events_total{event="handshakeFailures"} 3.0',
        ):
            self.assertIn(line, text)

    def test_reports(self) -> None:
        """
        The RTCP that is sent is counted by what it is, and so is what could not be.
        """
        self.node.capture.reports.counters.update(reports=4, goodbyes=1, failed=2)
        text = self.node.metrics.exposition().decode()
        for kind, count in (("reports", 4), ("goodbyes", 1), ("failed", 2)):
            self.assertIn(f'siprec_media_reports_total{{kind="{kind}"}} {count}.0', text)

    def test_doorway(self) -> None:
        """
        What the transport receives comes to the doorway, and from there to the
        layer.
        """
        entrance = self.node.entrance
        flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
        entrance.transport._receiver.messageReceived(parseMessage(_OPTIONS), flow)
        self.assertEqual(self.node.layer.requests["OPTIONS"], 1)
        self.assertIs(entrance.transport._receiver, entrance.intake)
        self.assertIs(entrance.intake._door, entrance.doorway)
        self.node.layer.stop()

    def test_unhandled(self) -> None:
        """
        An error that the SIP layer catches counts as unforeseen.
        """
        self.node.layer.user = _BrokenUser()
        self.request(self.node)
        self.assertEqual(metric(self.node.metrics, "siprec_unhandled_errors_total"), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.node.layer.stop()

    def test_watched(self) -> None:
        """
        What the parts count can be scraped without one of them failing.
        """
        with capturedLogs() as logs:
            text = self.node.metrics.exposition().decode()
        self.assertEqual(list(logs), [])
        for name, value in (
            ("siprec_sessions", 0),
            ("siprec_ports_free", 5000),
            ("siprec_disk_free_bytes", 0),
            ("siprec_ready", 0),
            ("siprec_streams", 0),
            ("siprec_streams_silent", 0),
            ("siprec_media_silences_total", 0),
            ("siprec_sessions_paused", 0),
            ("siprec_media_discarded_total", 0),
            ("siprec_media_strangers_total", 0),
            ("siprec_sip_connections", 0),
            ("siprec_trace_messages", 0),
            ("siprec_trace_octets", 0),
            ("siprec_sip_unacknowledged", 0),
            ("siprec_sip_waiting", 0),
            ("siprec_sip_waiting_seconds", 0),
            ("siprec_postponed", 0),
            ("siprec_sip_certificate_expires", 0),
            ("siprec_media_packets_total", 0),
            ("siprec_media_octets_total", 0),
            ("siprec_media_kernel_drops_total", 0),
        ):
            self.assertIn(f"\n{name} ", text)
            self.assertEqual(metric(self.node.metrics, name), value, name)

    def test_journalError(self) -> None:
        """
        The capture tells the sessions of journals that cannot be written.
        """
        stream: Any = None
        self.node.capture._onError(stream, OSError("full"))
        self.assertEqual(metric(self.node.metrics, "siprec_journal_errors_total"), 1)

    def test_mediaHosts(self) -> None:
        """
        The address in SDP is the configured one, else where the request came
        to; it is bound unless another one is configured.
        """
        flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
        for overrides, expected in (
            ({}, ("192.0.2.1", "192.0.2.1")),
            ({"media__address": "203.0.113.1"}, ("203.0.113.1", "203.0.113.1")),
            ({"media__bind": "0.0.0.0"}, ("192.0.2.1", "0.0.0.0")),
        ):
            node = self.make(**overrides)
            self.assertEqual(node.recorder._around.mediaHosts(flow), expected)

    def test_snapshotStore(self) -> None:
        """
        The sessions' snapshots are in the node's own store, and they start and
        stop with it.
        """
        self.assertIs(self.node.state.recordings, self.node.sessions)
        live: Any = LivePart(session(self.root))
        self.node.sessions.recordings[live.recording.id] = live
        saved = Deferred.fromCoroutine(self.node.sessions.save(live, dialog()))
        self.successResultOf(saved)
        self.assertEqual(self.successResultOf(self.node.store.list()), [live.recording.id])
