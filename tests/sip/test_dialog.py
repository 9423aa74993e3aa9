"""
Tests for L{siprec.sip.dialog}.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.dialog import MAX_CSEQ, CSeqExhausted, Dialog, glareDelay
from siprec.sip.message import Request, parseMessage
from tests.sip.dialogs import CONTACT, answer, dialog, request


class MakingTests(SynchronousTestCase):
    """
    How a dialog comes to be (RFC 3261 section 12.1).
    """

    def test_called(self) -> None:
        """
        The side that is called takes its state from the INVITE: the route set in the
        order received, with parameters nobody knows (section 12.1.1).
        """
        made = dialog("<sip:p2;lr;x=1>, <sip:p1;lr>", "<sip:p0;lr>;y")
        self.assertEqual(
            made,
            Dialog(
                callID="one@192.0.2.7",
                localTag="ours",
                remoteTag="theirs",
                localAddr="<sip:srs@192.0.2.5>",
                remoteAddr='"Src" <sip:src@192.0.2.7;x=y>',
                remoteTarget="sip:src@192.0.2.7:5060;transport=udp",
                localContact=CONTACT,
                localCSeq=100,
                remoteCSeq=10,
                routeSet=("<sip:p2;lr;x=1>", "<sip:p1;lr>", "<sip:p0;lr>;y"),
                secure=False,
                confirmed=False,
            ),
        )
        self.assertTrue(made.established().confirmed)

    def test_calls(self) -> None:
        """
        The side that calls takes it from the response, with the route set reversed
        (section 12.1.2).
        """
        invite = request(From="<sip:srs@h>;tag=ours", To="<sip:src@g>", Contact=CONTACT)
        routes = ("Record-Route", "<sip:p1;lr>, <sip:p2;lr>")
        made = Dialog.fromResponse(invite, answer(invite, 200, routes, ("Contact", "<sip:x@y>")))
        self.assertEqual((made.localTag, made.remoteTag), ("ours", "theirs"))
        self.assertEqual((made.localAddr, made.remoteAddr), ("<sip:srs@h>", "<sip:src@g>"))
        self.assertEqual(made.routeSet, ("<sip:p2;lr>", "<sip:p1;lr>"))
        self.assertEqual((made.remoteTarget, made.localContact), ("sip:x@y", CONTACT))
        self.assertEqual((made.localCSeq, made.remoteCSeq), (10, None))
        self.assertTrue(made.confirmed)
        early = Dialog.fromResponse(invite, answer(invite, 183))
        self.assertFalse(early.confirmed)
        self.assertEqual(early.remoteTarget, "sip:srs@192.0.2.5")

    def test_secure(self) -> None:
        """
        A dialog is secure if its INVITE went to a SIPS URI over TLS.
        """
        tls = request(Via="SIP/2.0/TLS h;branch=z9hG4bKa")
        for invite, called in ((tls, True), (request(), False)):
            sips = evolve(invite, uri="sips:srs@h")
            self.assertEqual(Dialog.fromInvite(sips, "t", CONTACT).secure, called)
            self.assertTrue(Dialog.fromResponse(sips, answer(sips)).secure)
        self.assertFalse(Dialog.fromInvite(tls, "t", CONTACT).secure)
        self.assertFalse(Dialog.fromResponse(tls, answer(tls)).secure)

    def test_rfc2543(self) -> None:
        """
        A peer of RFC 2543 may have no tag and no Contact: its tag is null and it is
        reached at its From.
        """
        made = dialog(From="sip:src@192.0.2.7", Contact="")
        self.assertEqual(made.remoteTag, "")
        self.assertEqual(made.remoteTarget, "sip:src@192.0.2.7")
        _, bye = made.request("BYE")
        self.assertEqual(bye.headers.get("To"), "<sip:src@192.0.2.7>")
        self.assertEqual(bye.headers.get("From"), "<sip:srs@192.0.2.5>;tag=ours")

    def test_contactStripped(self) -> None:
        """
        What no Request-URI may have is left out of the remote target (section 19.1.1).
        """
        made = dialog(Contact="<sip:src@h;method=INVITE;transport=tcp?Subject=x>")
        self.assertEqual(made.remoteTarget, "sip:src@h;transport=tcp")
        self.assertEqual(dialog(Contact="<tel:+39061234>").remoteTarget, "tel:+39061234")

    def test_owns(self) -> None:
        """
        A request belongs to the dialog by Call-ID and both tags; no tag is a null tag.
        """
        mine = {"To": "<sip:srs@h>;tag=ours"}
        self.assertTrue(dialog().owns(request("BYE", **mine)))
        self.assertFalse(dialog().owns(request("BYE")))
        self.assertFalse(dialog().owns(request("BYE", From="<sip:s@h>;tag=other", **mine)))
        self.assertFalse(dialog().owns(request("BYE", Call_ID="two", **mine)))
        legacy = dialog(From="<sip:src@h>")
        self.assertTrue(legacy.owns(request("BYE", From="<sip:src@h>", **mine)))
        self.assertFalse(legacy.owns(request("BYE", **mine)))


class OrderTests(SynchronousTestCase):
    """
    The peer's sequence numbers (RFC 3261 section 12.2.2).
    """

    def numbered(self, number: int, method: str = "UPDATE") -> Request:
        """
        @return: a request with this number.
        """
        return request(method, CSeq=f"{number} {method}")

    def test_D4_higher(self) -> None:
        """
        A higher number is taken up, whatever lies between; below 2**32 all are legal.
        """
        for number in (11, 500, 2**32 - 1):
            after, status = dialog().received(self.numbered(number))
            self.assertEqual((after.remoteCSeq, status), (number, None))

    def test_D4_notHigher(self) -> None:
        """
        A lower number, or the same again, is refused with 500 and changes nothing.
        """
        for number in (0, 9, 10):
            self.assertEqual(dialog().received(self.numbered(number)), (dialog(), 500))

    def test_D4_first(self) -> None:
        """
        Any number is good for the first request of the peer.
        """
        fresh = evolve(dialog(), remoteCSeq=None)
        after, status = fresh.received(self.numbered(0))
        self.assertEqual((after.remoteCSeq, status), (0, None))

    def test_J1_overlapping(self) -> None:
        """
        Of two re-INVITEs that overtook each other only the later one is taken.
        """
        after, status = dialog().received(self.numbered(12, "INVITE"))
        self.assertIsNone(status)
        self.assertEqual(after.received(self.numbered(11, "INVITE")), (after, 500))

    def test_ackAndCancel(self) -> None:
        """
        ACK and CANCEL carry the number of their INVITE, so they are not out of order.
        """
        for method in ("ACK", "CANCEL"):
            for number in (9, 10, 99):
                outcome = dialog().received(self.numbered(number, method))
                self.assertEqual(outcome, (dialog(), None))


class RefreshTests(SynchronousTestCase):
    """
    Target refresh (RFC 3261 section 12.2).
    """

    moved = ("Contact", "<sip:src@192.0.2.99;method=x>;+sip.src, <sip:other@h>")

    def test_D4_requests(self) -> None:
        """
        INVITE and UPDATE replace the remote target and nothing else; others do not.
        """
        after = evolve(dialog(), remoteTarget="sip:src@192.0.2.99")
        for method in ("INVITE", "UPDATE"):
            message = request(method, self.moved, ("Record-Route", "<sip:new;lr>"), Contact="")
            self.assertEqual(dialog().refreshed(message), after)
        for method in ("BYE", "INFO", "OPTIONS", "ACK"):
            message = request(method, self.moved, Contact="")
            self.assertEqual(dialog().refreshed(message), dialog())

    def test_D4_responses(self) -> None:
        """
        So do the 2xx to ours, and no other response.
        """
        for method, status, changes in (
            ("INVITE", 200, True),
            ("UPDATE", 202, True),
            ("INVITE", 302, False),
            ("INVITE", 183, False),
            ("OPTIONS", 200, False),
        ):
            response = answer(request(method), status, self.moved)
            target = dialog().refreshed(response).remoteTarget
            self.assertEqual(target == "sip:src@192.0.2.99", changes, (method, status))

    def test_J4_unusableContact(self) -> None:
        """
        A Contact that is missing or malformed leaves the target as it is.
        """
        self.assertEqual(dialog().refreshed(request(Contact="")), dialog())
        for bad in ("<<sip:a@h>;transport=tcp>", "*", "<>", ""):
            response = answer(request(), 200, ("Contact", bad))
            self.assertEqual(dialog().refreshed(response), dialog(), bad)

    def test_B4_contactWithoutItsBracket(self) -> None:
        """
        A Contact whose closing bracket is missing is still a target.
        """
        response = answer(request(), 200, ("Contact", "<sip:a@h;+sip.src"))
        self.assertEqual(dialog().refreshed(response).remoteTarget, "sip:a@h;+sip.src")


class RequestTests(SynchronousTestCase):
    """
    Requests of ours (RFC 3261 section 12.2.1.1).
    """

    def test_plain(self) -> None:
        """
        Without a route set the request goes to the remote target, byte for byte.
        """
        after, made = dialog().request("BYE", headers=[("Reason", "SIP;cause=200")])
        self.assertEqual(
            made.serialize(),
            b"BYE sip:src@192.0.2.7:5060;transport=udp SIP/2.0\r\n"
            b"Max-Forwards: 70\r\n"
            b"From: <sip:srs@192.0.2.5>;tag=ours\r\n"
            b'To: "Src" <sip:src@192.0.2.7;x=y>;tag=theirs\r\n'
            b"Call-ID: one@192.0.2.7\r\n"
            b"CSeq: 101 BYE\r\n"
            b"Reason: SIP;cause=200\r\n"
            b"Content-Length: 0\r\n\r\n",
        )
        self.assertEqual(after, evolve(dialog(), localCSeq=101))

    def test_A4_contact(self) -> None:
        """
        INVITE and UPDATE carry our Contact with its feature tag, and the body its type;
        other requests have no Contact.
        """
        for method in ("INVITE", "UPDATE"):
            _, made = dialog().request(method, body=b"v=0", contentType="application/sdp")
            self.assertEqual(made.headers.getAll("Contact"), [CONTACT])
            self.assertEqual(
                (made.body, made.headers.get("Content-Type")), (b"v=0", "application/sdp")
            )
        self.assertNotIn("Contact", dialog().request("OPTIONS")[1].headers)

    def test_D4_looseRoute(self) -> None:
        """
        Through loose routers the Request-URI is the target and Route the whole set.
        """
        routed = dialog("<sip:p1;lr>", "<sip:p2>")
        _, bye = routed.request("BYE")
        self.assertEqual(bye.uri, routed.remoteTarget)
        self.assertEqual(bye.headers.values("Route"), ["<sip:p1;lr>", "<sip:p2>"])
        self.assertEqual(routed.nextHop, "sip:p1;lr")

    def test_D4_strictRoute(self) -> None:
        """
        Through a strict router the Request-URI is the first route, without what may not
        be in one, and the target is the last Route.
        """
        routed = dialog("<sip:p1;method=x;transport=tcp?a=b>", "<sip:p2;lr>")
        _, bye = routed.request("BYE")
        self.assertEqual(bye.uri, "sip:p1;transport=tcp")
        self.assertEqual(
            bye.headers.values("Route"),
            ["<sip:p2;lr>", "<sip:src@192.0.2.7:5060;transport=udp>"],
        )
        self.assertEqual(routed.nextHop, "sip:p1;method=x;transport=tcp?a=b")

    def test_looseWithoutBrackets(self) -> None:
        """
        A router that writes no angle brackets is still a loose one if it says C{lr}.
        """
        _, bye = dialog("sip:p1;lr").request("BYE")
        self.assertEqual(bye.headers.values("Route"), ["sip:p1;lr"])

    def test_unreadableRoute(self) -> None:
        """
        A route that cannot be read is repeated as received, and the request goes to the
        target; one of a foreign scheme counts as strict.
        """
        routed = dialog("<sip:p1;lr")
        _, bye = routed.request("BYE")
        self.assertEqual((bye.uri, routed.nextHop), (routed.remoteTarget, routed.remoteTarget))
        self.assertEqual(bye.headers.values("Route"), ["<sip:p1;lr"])
        self.assertEqual(dialog("<x:y>").request("BYE")[1].uri, "x:y")

    def test_D4_numbersRunOut(self) -> None:
        """
        The last number is 2**31 - 1; after it there is an error and no request.
        """
        last, made = evolve(dialog(), localCSeq=MAX_CSEQ - 1).request("BYE")
        self.assertEqual(made.cseq.number, 2**31 - 1)
        self.assertRaises(CSeqExhausted, last.request, "BYE")

    def test_ack(self) -> None:
        """
        The ACK has the number and the credentials of its INVITE, takes the route of the
        dialog and uses no number up.
        """
        routed = dialog("<sip:p1;lr>")
        after, invite = routed.request(
            "INVITE", headers=[("Authorization", "Digest a"), ("Proxy-Authorization", "Digest b")]
        )
        later, _ = after.request("UPDATE")
        ack = later.ack(invite, body=b"v=0", contentType="application/sdp")
        self.assertEqual((ack.method, str(ack.cseq)), ("ACK", "101 ACK"))
        self.assertEqual(ack.headers.get("Authorization"), "Digest a")
        self.assertEqual(ack.headers.get("Proxy-Authorization"), "Digest b")
        self.assertEqual(ack.headers.values("Route"), ["<sip:p1;lr>"])
        self.assertEqual((ack.body, ack.headers.get("Content-Type")), (b"v=0", "application/sdp"))
        self.assertNotIn("Contact", ack.headers)

    @given(st.lists(st.sampled_from(["INVITE", "UPDATE", "BYE", "OPTIONS"]), max_size=8))
    def test_numbersRise(self, methods: list[str]) -> None:
        """
        Each request has the next number, and what is made can be read again.
        """
        current, numbers = dialog("<sip:p1;lr>"), []
        for method in methods:
            current, made = current.request(method)
            numbers.append(made.cseq.number)
            via = made.headers.prepending("Via", "SIP/2.0/UDP h;branch=z9hG4bKx")
            self.assertEqual(parseMessage(evolve(made, headers=via).serialize()).cseq, made.cseq)
        self.assertEqual(numbers, list(range(101, 101 + len(methods))))


class ResponseTests(SynchronousTestCase):
    """
    Responses of ours (RFC 3261 sections 8.2.6 and 12.1.1).
    """

    routes = (("Record-Route", "<sip:p2;lr;a=b>, <sip:p1;lr>"), ("Record-Route", "<sip:p0;lr>;c"))

    def test_dialogMaking(self) -> None:
        """
        A 1xx above 100 and a 2xx that make the dialog have our tag, every Record-Route
        line as received, and our Contact.
        """
        invite = request("INVITE", *self.routes)
        for status in (180, 200):
            made = dialog().response(invite, status)
            self.assertEqual(made.toTag, "ours")
            self.assertEqual(
                made.headers.getAll("Record-Route"), [value for _, value in self.routes]
            )
            self.assertEqual(made.headers.getAll("Contact"), [CONTACT])

    def test_inDialog(self) -> None:
        """
        A re-INVITE and an UPDATE are answered with our Contact, no second tag and no
        Record-Route.
        """
        for method in ("INVITE", "UPDATE"):
            again = request(method, *self.routes, To="<sip:srs@h>;tag=ours")
            made = dialog().response(
                again, 200, headers=[("Allow", "BYE")], body=b"v=0", contentType="application/sdp"
            )
            self.assertEqual(made.headers.get("To"), "<sip:srs@h>;tag=ours")
            self.assertNotIn("Record-Route", made.headers)
            self.assertEqual(made.headers.getAll("Contact"), [CONTACT])
            self.assertEqual(made.headers.get("Allow"), "BYE")
            self.assertEqual(
                (made.body, made.headers.get("Content-Type")), (b"v=0", "application/sdp")
            )

    def test_without(self) -> None:
        """
        No Contact and no Record-Route in a 100, in a refusal or in the answer to another
        method; no tag in a 100 (RFC 3261 section 8.2.6.1).
        """
        invite = request("INVITE", *self.routes)
        for made in (
            dialog().response(invite, 100),
            dialog().response(invite, 488, "No"),
            dialog().response(request("BYE", *self.routes), 200),
        ):
            self.assertNotIn("Contact", made.headers)
            self.assertNotIn("Record-Route", made.headers)
            self.assertEqual(made.toTag, None if made.status == 100 else "ours")


class GlareTests(SynchronousTestCase):
    """
    L{glareDelay} says how long to wait after a 491.
    """

    def test_D4_ranges(self) -> None:
        """
        The owner of the Call-ID waits 2.1 to 4 seconds, the other side 0 to 2, both in
        steps of 10 ms (RFC 3261 section 14.1).
        """
        self.assertEqual([glareDelay(0, True), glareDelay(1, True)], [2.1, 4.0])
        self.assertEqual([glareDelay(0), glareDelay(0.5), glareDelay(0.999)], [0.0, 1.0, 2.0])
        self.assertEqual(glareDelay(0.12345), 0.25)
