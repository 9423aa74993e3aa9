"""
Tests for L{siprec.testing.client}.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from siprec.metadata.parse import parseMetadata
from siprec.sip.interfaces import ITransactionUser
from siprec.sip.multipart import leaves, parseBody
from siprec.testing.client import CallFailed, RecordingClient
from siprec.testing.fakes import FakeSipTransport
from tests.testing.recorder import ClientTestCase, sdp


class RecordingClientTests(ClientTestCase):
    """
    A client over UDP.
    """

    def test_interface(self) -> None:
        """
        The client is a transaction user.
        """
        verifyObject(ITransactionUser, self.client)

    def test_metadata(self) -> None:
        """
        By default the metadata names the participants and fits the labels.
        """
        invited = Deferred.fromCoroutine(self.client.invite(participants=["Carol", "Dan"]))
        invite = self.taken()
        description, metadata = leaves(parseBody(invite.headers, invite.body))
        parsed = parseMetadata(metadata.body)
        self.assertEqual([each.names[0].name for each in parsed.participants], ["Carol", "Dan"])
        self.assertEqual([each.label for each in parsed.streams], ["1", "2"])
        self.assertIn(b"a=label:2", description.body)
        self.answer(invite, 200, sdp(40000, 40002))
        self.assertIn(self.successResultOf(invited), self.client.calls)

    def test_withoutMetadata_A35(self) -> None:
        """
        A call can be made without metadata.
        """
        invited = Deferred.fromCoroutine(self.client.invite(1, metadata=None))
        invite = self.taken()
        self.assertEqual(invite.contentType, ("application/sdp", ()))
        self.answer(invite, 200, sdp(40000))
        self.assertEqual(len(self.successResultOf(invited).legs), 1)

    def test_addStream(self) -> None:
        """
        A stream that is added is the next line, with the next label.
        """
        call = self.client.call(1)
        leg = self.client.addStream(call)
        self.assertEqual([each.label for each in call.legs], ["1", "2"])
        self.assertIs(call.legs[1], leg)
        call.close()

    def test_refused(self) -> None:
        """
        A call that is refused fails with the response; its ports are closed.
        """
        invited = Deferred.fromCoroutine(self.client.invite())
        self.answer(self.taken(), 503)
        error = self.failureResultOf(invited, CallFailed).value
        self.assertEqual(error.response.status, 503)
        self.assertIn("503", str(error))
        self.assertTrue(all(media.closed for media in self.media))
        self.clock.advance(32)

    def test_options(self) -> None:
        """
        An OPTIONS outside of a dialog asks whether the recorder is there.
        """
        done = Deferred.fromCoroutine(self.client.options())
        request = self.taken()
        self.assertEqual((request.method, request.toTag), ("OPTIONS", None))
        self.answer(request, 200)
        self.assertEqual(self.successResultOf(done).status, 200)

    def test_stop(self) -> None:
        """
        A client that stops leaves without a word.
        """
        self.established()
        self.successResultOf(Deferred.fromCoroutine(self.client.stop()))
        self.assertEqual(self.sip.take(), [])
        self.assertTrue(all(media.closed for media in self.media))

    def test_notSIP(self) -> None:
        """
        Only SIP URIs can be called.
        """
        self.assertRaises(ValueError, self.client.flowTo, "tel:+4930123")

    def test_IPv6(self) -> None:
        """
        IPv6 addresses stand in brackets in URIs, and without elsewhere.
        """
        sip = FakeSipTransport(("::1", 5070))
        client = RecordingClient(Clock(), "TCP", "::1", 5060, "::1", sip)
        self.assertEqual(client.uri, "sip:[::1]:5060;transport=tcp")
        flow = self.successResultOf(client.flowTo(client.uri))
        self.assertEqual((flow.transport, flow.remote), ("TCP", ("::1", 5060)))
        self.assertEqual(client.contact(flow), "<sip:src@[::1]:5070;transport=tcp>;+sip.src")


class TCPTests(ClientTestCase):
    """
    A client over TCP.
    """

    transportName = "TCP"

    def test_call(self) -> None:
        """
        URI and Contact say TCP, so that both sides stay with it.
        """
        invited = Deferred.fromCoroutine(self.client.invite())
        invite = self.taken()
        self.assertEqual(invite.uri, "sip:192.0.2.9:5060;transport=tcp")
        self.assertEqual(str(invite.contacts[0].uri), "sip:src@192.0.2.1:5070;transport=tcp")
        self.assertEqual(invite.via.transport, "TCP")
        self.answer(invite, 200, sdp(40000, 40002))
        self.successResultOf(invited)
