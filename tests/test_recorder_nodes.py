"""
Tests for L{siprec.recorder}: one node among others.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.ids import isOurTag, newTag
from siprec.sip.message import Request
from siprec.sip.transaction import LIFETIME
from tests.uas.kit import PEER, RecorderTestCase, Src, offer


class HasTests(RecorderTestCase):
    """
    Which dialogs are this node's.
    """

    def invite(self, callID: str = f"one@{PEER}", tag: str = ";tag=theirs") -> Request:
        """
        @return: an INVITE without our tag.
        """
        src = Src(self.house, callID=callID, tag=tag)
        return src.make("INVITE", body=(offer(), None))

    def test_dialog(self) -> None:
        """
        By Call-ID and both tags, until the dialog ends.
        """
        self.assertFalse(self.house.recorder.has(self.src.make("BYE")))
        self.src.call()
        self.assertTrue(self.house.recorder.has(self.src.make("UPDATE")))
        other = Src(self.house)
        other.toTag = "another"
        self.assertFalse(self.house.recorder.has(other.make("UPDATE")))
        self.src.bye()
        self.assertFalse(self.house.recorder.has(self.src.make("UPDATE")))

    def test_firstInvite(self) -> None:
        """
        An INVITE that would make a dialog, by Call-ID and the peer's tag: from the
        beginning to the end.
        """
        waiting: list[Deferred[None]] = []
        self.house.store.waiting = waiting
        invite = self.invite()
        self.assertFalse(self.house.recorder.has(invite))
        self.src.send(self.src.make("INVITE", body=(offer(), None)))
        self.assertTrue(self.house.recorder.has(invite))
        self.assertFalse(self.house.recorder.has(self.invite(tag=";tag=other")))
        self.assertFalse(self.house.recorder.has(self.invite(callID="two")))
        self.house.store.waiting = None
        waiting[0].callback(None)
        self.house.recorder.stopCalls(503, "test")
        self.house.wire.take()
        self.house.wait(LIFETIME + 1)
        self.assertFalse(self.house.recorder.has(invite))

    def test_withoutTag(self) -> None:
        """
        A peer of RFC 2543 has no tag, which is as good as an empty one.
        """
        src = Src(self.house, tag="")
        src.call()
        self.assertTrue(self.house.recorder.has(src.make("BYE")))
        src.toTag, tag = None, src.toTag
        self.assertTrue(self.house.recorder.has(src.make("INVITE", body=(offer(), None))))
        src.toTag = tag
        self.assertEqual(src.bye().status, 200)

    def test_rejected(self) -> None:
        """
        An INVITE that was refused has left nothing.
        """
        self.house.service.draining = True
        self.src.invite()
        self.house.service.draining = False
        self.src.invite(sdp=b"v=0\r\n")
        self.assertEqual((self.house.recorder.calls, self.house.recorder.running._begun), ({}, {}))

    def test_tags(self) -> None:
        """
        The tags of our dialogs are such as other nodes know to be of a node; that of
        an answer without a transaction is not, as it makes no dialog.
        """
        self.assertTrue(isOurTag(self.src.call().toTag or ""))


class UncertainTests(RecorderTestCase):
    """
    Requests in dialogs that are not here.
    """

    def test_unknown(self) -> None:
        """
        A dialog that nobody has does not exist.
        """
        self.src.toTag = newTag()
        self.assertEqual(self.src.bye().status, 481)

    def test_uncertain(self) -> None:
        """
        One that another node may have is not denied, as that would end it: 500, with
        a time at which to ask again (RFC 5057 section 5.1).
        """
        self.house.recorder.isUncertain = lambda request: request.method != "INFO"
        self.src.toTag = newTag()
        for response in (self.src.bye(), self.src.update(), self.src.reinvite(sdp=offer())):
            self.assertEqual(response.status, 500)
            self.assertIn(response.headers.get("Retry-After"), ("1", "2", "3"))
            self.warned(response, "not known where")
        self.assertEqual(self.src.ask(self.src.make("INFO")).status, 481)

    def test_D4_replaces_uncertain(self) -> None:
        """
        The same for an INVITE that would replace such a dialog; where it is
        certain that there is none, it gets 481.
        """
        header = ("Replaces", f"elsewhere;to-tag={newTag()};from-tag=theirs")
        told = [True, False]
        self.house.recorder.isUncertain = lambda request: told.pop(0)
        for uncertain, status in ((True, 500), (False, 481)):
            response = self.src.ask(self.src.make("INVITE", header, body=(offer(), None)))
            self.assertEqual(response.status, status)
            self.assertEqual(response.headers.get("Retry-After") is not None, uncertain)
            self.src.ack()

    def test_newCall(self) -> None:
        """
        A new call is taken all the same, and a dialog that is here is not asked about.
        """
        self.house.recorder.isUncertain = lambda request: True
        self.src.call()
        self.assertEqual(self.src.bye().status, 200)

    def test_ack(self) -> None:
        """
        An ACK is never answered.
        """
        self.house.recorder.isUncertain = lambda request: True
        self.src.toTag = newTag()
        self.assertEqual(self.src.send(self.src.make("ACK")), [])


class ContactTests(RecorderTestCase):
    """
    What peers are told of this node's address.
    """

    def test_contact(self) -> None:
        """
        The address that faces the peer, with its transport where that is not UDP,
        IPv6 in brackets, and the feature tag of a recorder (RFC 7866 section 6.2.1).
        """
        flow = self.src.flow
        contact = self.house.recorder.contact
        self.assertEqual(contact(flow), "<sip:192.0.2.1:5060>;+sip.srs")
        flow = evolve(flow, transport="TLS", local=("2001:db8::9", 5061))
        self.assertEqual(contact(flow), "<sip:[2001:db8::9]:5061;transport=tls>;+sip.srs")

    def test_letGoUnknown(self) -> None:
        """
        Of a call that is not here there is nothing to let go.
        """
        self.house.recorder.letGo("unknown")
        self.house.recorder.endDead("unknown")
        self.assertEqual(self.house.store.saved, [])
