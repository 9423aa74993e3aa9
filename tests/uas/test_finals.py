"""
Tests for L{siprec.uas.finals}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import FinalResponse
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.layer import SipLayer
from siprec.sip.matching import mergeKey, serverKey
from siprec.sip.message import Request, Response, makeResponse, parseMessage
from siprec.testing.fakes import FakeSipTransport
from siprec.uas.finals import Finals, adopt, deadFlow, plainFlow, remember
from tests.sip.traffic import User

TCP = Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.7", 33000), 9)
_words = st.text("abcXYZ019-._~", min_size=1, max_size=12)


def _request(
    method: str = "INVITE", number: int = 1, via: str = "SIP/2.0/TCP h:5080;branch=z9hG4bKa"
) -> Request:
    fields = [
        ("v", f"{via}, SIP/2.0/UDP far;branch=z9hG4bKb"),
        ("Max-Forwards", "70"),
        ("From", '"A \u00e9" <sip:src@192.0.2.7>;tag=theirs'),
        ("To", "<sip:srs@192.0.2.1>"),
        ("Call-ID", "one"),
        ("CSeq", f"{number} {method}"),
        ("Contact", "<sip:src@192.0.2.7>"),
        ("Content-Type", "application/sdp"),
    ]
    message = parseMessage(
        Request(method, "sip:srs@192.0.2.1", Headers(fields), b"v=0").serialize()
    )
    assert isinstance(message, Request)
    return message


class FinalsTests(SynchronousTestCase):
    """
    What is kept of our answers.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.finals = Finals(lambda: 1000 + self.clock.seconds())
        self.adopted: list[tuple[Request, Flow, Response, float]] = []

    def give(self, request: Request, status: int = 200, offers: bool = False) -> Response:
        """
        Let the final response to a request be kept.
        """
        user = User()
        SipLayer(Clock(), FakeSipTransport(), user).messageReceived(request, TCP)
        [self.transaction] = user.requests
        response = makeResponse(self.transaction.request, status, toTag="ours", body=b"v=0\r\n")
        self.finals.add(self.transaction, response, offers)
        return response

    def adopt(self, now: float = 1010.0, *finals: FinalResponse) -> Any:
        """
        Go on with what is kept in another process.
        """

        def put(
            request: Request, flow: Flow, response: Response, seconds: float
        ) -> IServerTransaction:
            self.adopted.append((request, flow, response, seconds))
            return self.transaction

        return adopt(finals or self.finals.kept, now, put)

    def test_kept(self) -> None:
        """
        Who asked what, by which way, and the very bytes of the answer.
        """
        response = self.give(_request("UPDATE", 7))
        [kept] = self.finals.kept
        self.assertEqual((kept.method, kept.cseq, kept.until), ("UPDATE", 7, 1032.0))
        self.assertEqual(kept.flow, ("TCP", "192.0.2.1", 5060, "192.0.2.7", 33000, 9))
        self.assertEqual(kept.response, response.serialize())
        self.assertEqual((kept.awaitsACK, kept.offers), (False, False))
        self.assertNotIn(b"v=0", kept.request)

    def test_early(self) -> None:
        """
        What another process is to answer to an INVITE that is told 100 is kept for as
        long as a proxy waits; the answer that is found after all takes its place.
        """
        user, request = User(), _request(number=2)
        SipLayer(Clock(), FakeSipTransport(), user).messageReceived(request, TCP)
        [transaction] = user.requests
        for status, early, until in ((500, True, 1180.0), (200, False, 1032.0)):
            response = makeResponse(transaction.request, status, toTag="ours")
            self.finals.add(transaction, response, early=early)
            [kept] = self.finals.kept
            self.assertEqual((kept.response, kept.until), (response.serialize(), until))

    def test_remember(self) -> None:
        """
        Of a call that does not go on, the refusal of its first INVITE is given unasked;
        the rest when it is asked for.
        """
        clock, wire = Clock(), FakeSipTransport()
        layer = SipLayer(clock, wire, User())
        self.give(_request(number=2), 200)
        [accepted] = self.finals.kept
        self.give(_request("UPDATE", 3), 488)
        self.give(_request(number=1, via="SIP/2.0/TCP h:5080;branch=z9hG4bKc"), 500)
        refused = self.finals.kept[-1]
        later = refused.request.replace(b"sip:srs@192.0.2.1>", b"sip:srs@192.0.2.1>;tag=ours")
        inDialog = evolve(refused, request=later.replace(b"z9hG4bKc", b"z9hG4bKd"))
        remember([accepted, inDialog, refused], 1010.0, layer.adopt)
        self.assertEqual([data for _, data in wire.sent], [refused.response])
        layer.stop()

    def test_awaitsACK(self) -> None:
        """
        A 2xx to an INVITE waits for its ACK; nothing else does.
        """
        self.give(_request(number=1), offers=True)
        self.give(_request(number=2))
        self.give(_request(number=3), 488)
        self.assertEqual([each.awaitsACK for each in self.finals.kept], [True, True, False])
        self.assertEqual([each.offers for each in self.finals.kept], [True, False, False])
        self.finals.acknowledged(1)
        self.assertEqual([each.awaitsACK for each in self.finals.kept], [False, True, False])

    def test_J1_laterACK(self) -> None:
        """
        An ACK shows that the peer has come as far as its INVITE.
        """
        self.give(_request(number=1))
        self.give(_request(number=2))
        self.finals.acknowledged(2)
        self.assertFalse(any(each.awaitsACK for each in self.finals.kept))

    def test_G4_forgotten(self) -> None:
        """
        None is kept for longer than 64*T1.
        """
        self.give(_request(number=1))
        self.clock.advance(20)
        self.give(_request(number=2))
        self.clock.advance(12)
        self.assertEqual([each.cseq for each in self.finals.kept], [2])

    def test_few(self) -> None:
        """
        A peer cannot make the record as large as it likes: the newest are kept.
        """
        for number in range(1, 21):
            self.give(_request("INFO", number))
        self.assertEqual([each.cseq for each in self.finals.kept], list(range(13, 21)))

    def test_takenBack(self) -> None:
        """
        Of two responses to one request the second counts: a CANCEL came between.
        """
        self.give(_request(), 200)
        self.give(_request("INFO"), 200)
        refused = self.give(_request(), 487)
        self.assertEqual([each.method for each in self.finals.kept], ["INFO", "INVITE"])
        self.assertEqual(self.finals.kept[1].response, refused.serialize())

    def test_adopted(self) -> None:
        """
        Another process can tell copies of the request by what was kept, and
        has the answer, for the time that is left; the connection is gone.
        """
        asked = _request("UPDATE")
        response = self.give(asked)
        [(_, transaction, again)] = self.adopt()
        [(request, flow, _, seconds)] = self.adopted
        self.assertIs(transaction, self.transaction)
        self.assertEqual(
            (serverKey(request), mergeKey(request)), (serverKey(asked), mergeKey(asked))
        )
        self.assertEqual((flow, seconds), (evolve(TCP, connection=0), 22.0))
        self.assertEqual(again.serialize(), response.serialize())

    def test_F_inv2543(self) -> None:
        """
        The same holds for a peer without the magic cookie.
        """
        for via in ('SIP/2.0/UDP h;Branch=1;x="y, z"', "SIP/2.0/UDP h : 5080;branch=z9hG4bK"):
            asked = _request(via=via)
            self.give(asked)
            self.adopt()
            self.assertEqual(serverKey(self.adopted[-1][0]), serverKey(asked))

    def test_awaitingACK(self) -> None:
        """
        A 2xx that is to be repeated is so for 64*T1 from now on, for its ACK
        may have come while nobody was there.
        """
        self.give(_request())
        self.adopt()
        self.assertEqual([seconds for _, _, _, seconds in self.adopted], [32.0])

    def test_over(self) -> None:
        """
        What was over while nobody was there stays so; a clock that was set
        back does not make it last.
        """
        self.give(_request("INFO"))
        self.assertEqual(self.adopt(1032.0), [])
        self.adopt(500.0)
        self.assertEqual([seconds for _, _, _, seconds in self.adopted], [32.0])

    def test_unreadable(self) -> None:
        """
        One that cannot be read does not keep back the others.
        """
        self.give(_request("INFO", 1))
        self.give(_request("INFO", 2))
        first, second = self.finals.kept
        swapped = evolve(first, request=first.response, response=first.request)
        finals = (evolve(first, request=b"?"), evolve(first, response=b""), swapped, second)
        self.assertEqual([each[0] for each in self.adopt(1010.0, *finals)], [second])

    def test_restored(self) -> None:
        """
        They go on to be kept.
        """
        self.give(_request())
        again = Finals(lambda: 1010.0)
        again.restore(self.finals.kept)
        self.assertEqual(again.kept, self.finals.kept)

    def test_flow(self) -> None:
        """
        A flow comes back as it was, without its connection.
        """
        udp = evolve(TCP, transport="UDP", connection=0)
        self.assertEqual(deadFlow(plainFlow(udp)), udp)
        self.assertEqual(deadFlow(plainFlow(TCP)), evolve(TCP, connection=0))

    @settings(deadline=None, max_examples=60)
    @given(_words, st.binary(max_size=20), st.lists(st.tuples(_words, st.text(max_size=8))))
    def test_sameBytes(self, tag: str, body: bytes, more: list[tuple[str, str]]) -> None:
        """
        Whatever the answer is, it is the same to the byte after it was saved.
        """
        headers = [
            (f"X-{name}", "".join(text.split())) for name, text in more if text.isprintable()
        ]
        response = makeResponse(
            _request(), 200, toTag=tag, headers=headers, body=body, contentType="application/sdp"
        )
        data = response.serialize()
        self.assertEqual(parseMessage(data).serialize(), data)
