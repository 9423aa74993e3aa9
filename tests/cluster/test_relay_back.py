"""
Tests of L{siprec.cluster.relay}: what goes back to the peers, and what other nodes
send.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from siprec.cluster.passing import BadPassing, packedFlow
from siprec.cluster.relay import IN, OUT
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.sip.headers import Via
from siprec.sip.matching import stamped
from siprec.testing.fakes import FakeSipTransport
from tests.cluster.relaycase import A, RelayCase, ask
from tests.sip.traffic import TCP, UDP, answer

BY_A = evolve(UDP, relay="a")


class ResponseTests(RelayCase):
    """
    Node B has the call, and its requests come by way of A.
    """

    def test_back(self) -> None:
        """
        A response goes to the node that the request came by, which sends it from where
        it listens; nothing is sent here.
        """
        data = answer(ask(), 200).serialize()
        self.b.relay.send(BY_A, data)
        self.assertEqual(self.a.transport.sent, [(UDP, data)])
        self.assertEqual(self.b.transport.sent, [])

    def test_way(self) -> None:
        """
        The node that has the sockets finds the way back, as for a response of its
        own: it knows what is open (RFC 3261 section 18.2.2).
        """
        asked: list[tuple[Via, Flow]] = []
        again = evolve(TCP, remote=("192.0.2.7", 5060), connection=2)

        class Reconnecting(FakeSipTransport):
            def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
                asked.append((via, flow))
                return succeed(again)

        self.a.relay._transport = transport = Reconnecting()
        response = answer(stamped(ask(), TCP), 200)
        self.b.relay.send(evolve(TCP, relay="a"), response.serialize())
        self.assertEqual(asked, [(response.via, TCP)])
        self.assertEqual([flow for flow, _ in transport.sent], [again])

    def test_asked(self) -> None:
        """
        The owner leaves that to it, whatever the transport.
        """
        for flow in (BY_A, evolve(TCP, relay="a")):
            self.assertIs(self.successResultOf(self.b.relay.reply(ask().via, flow)), flow)
        self.assertIs(self.successResultOf(self.b.relay.reply(ask().via, UDP)), UDP)

    def test_noWay(self) -> None:
        """
        A peer that cannot be reached any more costs a line in the log.
        """
        self.a.transport.gone = True
        with capturedLogs() as events:
            self.b.relay.send(BY_A, answer(ask(), 200).serialize())
        self.assertIn("not sent", events[-1]["log_format"])
        self.a.transport.gone = False

    def test_nodeGone(self) -> None:
        """
        So does a node that is not there any more: the peer will ask again.
        """
        self.b.links.gone.add(A)
        with capturedLogs() as events:
            self.b.relay.send(BY_A, answer(ask(), 200).serialize())
        self.assertIn("not passed back", events[-1]["log_format"])

    def test_own(self) -> None:
        """
        What came here itself is answered from here.
        """
        self.b.relay.send(UDP, b"x")
        self.assertEqual(self.b.transport.sent, [(UDP, b"x")])
        found = self.successResultOf(self.b.relay.connect("UDP", "192.0.2.7", 5060))
        self.assertEqual(found.local, self.b.transport.local)

    def test_contact(self) -> None:
        """
        A peer is told this node's own address by whatever node its request came, so
        that the next one comes here.
        """
        self.assertEqual(self.b.relay.advertised(BY_A), ("192.0.2.11", 5060))
        self.assertEqual(self.b.relay.advertised(UDP), ("192.0.2.9", 5060))

    def test_noAddress(self) -> None:
        """
        If none of its own faces the peer, it is the one that the peer used.
        """

        def none(flow: Flow) -> Flow:
            raise SipError("no listener")

        self.b.relay._ours = none
        self.assertEqual(self.b.relay.advertised(BY_A), ("192.0.2.9", 5060))


class GarbageTests(RelayCase):
    """
    What another node sends need not make sense: it is refused, and that is all.
    """

    def setUp(self) -> None:
        super().setUp()
        self.b.owners.mine.add("call-1")

    def sent(self, kind: str, body: Any) -> Failure:
        """
        @return: what A hears of it.
        """
        done: Deferred[Any] = maybeDeferred(self.b.links.answers[kind], self.b.links, body)
        failure: Failure = self.failureResultOf(done, BadPassing)
        return failure

    def test_requests(self) -> None:
        """
        Of a request to be taken.
        """
        flow, message = packedFlow(UDP), ask().serialize()
        bodies: list[Any] = [
            *(None, 7, [], {}, {"message": message, "flow": flow}),
            {"message": message, "flow": [], "key": "k"},
            {"message": b"\0", "flow": flow, "key": "k"},
            {"message": b"INVITE\r\n\r\n", "flow": flow, "key": "k"},
            {"message": answer(ask(), 200).serialize(), "flow": flow, "key": "k"},
        ]
        for body in bodies:
            self.sent(IN, body)
        self.assertEqual((self.b.methods(), self.b.relay.counters), ([], {}))

    def test_responses(self) -> None:
        """
        Of a response to be sent.
        """
        flow, data = packedFlow(UDP), answer(ask(), 200).serialize()
        bodies: list[Any] = [None, {}, {"data": data}, {"data": ask().serialize(), "flow": flow}]
        for body in bodies:
            self.sent(OUT, body)
        self.assertEqual(self.b.transport.sent, [])

    def test_broken(self) -> None:
        """
        What nobody foresaw in sending is told as it is.
        """

        class Broken(FakeSipTransport):
            def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
                return fail(ZeroDivisionError())

        self.b.relay._transport = Broken()
        body = {"data": answer(ask(), 200).serialize(), "flow": packedFlow(UDP)}
        answered = self.b.links.answers[OUT](self.b.links, body)
        self.failureResultOf(answered, ZeroDivisionError)

    def test_unclearAnswer(self) -> None:
        """
        An answer that says neither yes nor no is no.
        """
        self.record()
        self.b.links.answers[IN] = lambda peer, body: "perhaps"
        self.comes(self.a, ask())
        self.clock.pump([1, 1])
        self.assertEqual((self.a.methods(), self.a.told()), (["BYE"], [True]))
