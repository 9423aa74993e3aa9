"""
What the recorder answers to single requests, and to clients that were seen in
the field: rules that no other module is the place for.
"""

from __future__ import annotations

from attrs import evolve

from siprec.sip.dialog import ENDING
from siprec.sip.message import Request, Response
from siprec.testing.offer import OfferedStream, makeMetadata
from tests.sip.vectors import message
from tests.uas.kit import METADATA, ONE, PEER, RecorderTestCase, lines, offer
from tests.uas.torture import TortureTestCase

_HELD = OfferedStream("1", 40000, direction="inactive")


class CheckTests(TortureTestCase):
    """
    RFC 3261 section 8.2.
    """

    def test_D3_400(self) -> None:
        """
        A request without From is refused.
        """
        self.assertEqual(self.feed(message(fields={"From": None})), [400])

    def test_D3_505(self) -> None:
        """
        So is one of another version.
        """
        self.assertEqual(self.feed(message("OPTIONS sip:h SIP/3.0")), [505])

    def test_D3_501(self) -> None:
        """
        A method that nobody knows, in whatever dialog.
        """
        self.assertEqual(self.feed(message("NOTHING sip:h SIP/2.0")), [501])
        self.assertEqual(
            self.feed(message("nothing sip:h SIP/2.0", {"To": "<sip:a>;tag=b"})), [501]
        )

    def test_D3_483_maxForwards(self) -> None:
        """
        Max-Forwards 0 is answered as any other number: only proxies count.
        """
        self.assertEqual(self.feed(message("OPTIONS sip:h SIP/2.0", {"Max-Forwards": "0"})), [200])

    def test_D3_403_nothingAsks(self) -> None:
        """
        An ordinary call is refused, with no Retry-After: it would be again.
        """
        plain = ("Contact", f"<sip:src@{PEER}>")
        request = self.src.make("INVITE", plain, body=(offer(), None), without=["Require"])
        response = self.src.ask(request)
        self.assertEqual((response.status, response.headers.get("Retry-After")), (403, None))
        self.warned(response, "no recording session")

    def test_D3_420_securityAgreement(self) -> None:
        """
        Required extensions that are not there: all of them are named, and each
        once (RFC 3261 section 8.2.2.3).
        """
        require = ("Require", "siprec, sec-agree, precondition")
        response = self.src.ask(self.src.make("INVITE", require, body=(offer(), METADATA)))
        self.assertEqual(response.status, 420)
        self.assertEqual(response.headers.get("Unsupported"), "sec-agree, precondition")

    def test_D3_493_smime(self) -> None:
        """
        An encrypted body is one of an unknown type.
        """
        kind = ("Content-Type", "application/pkcs7-mime")
        response = self.src.ask(evolve(self.src.make("INVITE", kind), body=b"?"))
        self.assertEqual(response.status, 415)


class InDialogTests(RecorderTestCase):
    """
    Requests that are refused while a call runs.
    """

    def test_A6_ignoredInCancel(self) -> None:
        """
        What a CANCEL or an ACK requires does not matter (RFC 3261 section
        8.2.2.3).
        """
        self.src.invite()
        assert self.src.last is not None
        require = ("Require", "foo")
        cancel = Request(
            "CANCEL",
            self.src.last.uri,
            self.src.last.headers.without("Content-Type", "Require")
            .replacing("CSeq", "1 CANCEL")
            .adding(*require),
        )
        self.assertEqual(self.src.ask(cancel).status, 200)
        self.assertEqual(self.src.send(self.src.make("ACK", require, cseq=1)), [])
        self.assertEqual(self.house.wait(40), [])

    def test_D4_effects_ours(self) -> None:
        """
        None of our refusals within a dialog is one that ends it (RFC 5057
        section 5.1), and the call goes on.
        """
        self.src.call()
        text = ("Content-Type", "text/plain")
        refused = [
            self.src.ask(self.src.make("REFER")),
            self.src.ask(self.src.make("NOTHING")),
            self.src.ask(self.src.make("UPDATE", ("Require", "foo"))),
            self.src.ask(self.src.make("INFO", ("Info-Package", "x"))),
            self.src.ask(evolve(self.src.make("UPDATE", text), body=b"?")),
            self.src.update(sdp=b"v=0\r\n"),
            self.src.update(sdp=offer().replace(b"m=audio", b"m=video")),
            self.src.update(("Supported", "timer"), ("Session-Expires", "60")),
            self.src.ask(self.src.make("BYE", cseq=1)),
        ]
        statuses = [each.status for each in refused]
        self.assertEqual(statuses, [405, 501, 420, 469, 415, 400, 488, 422, 500])
        self.assertEqual(ENDING.intersection(statuses), set())
        self.assertEqual(self.src.update().status, 200)
        self.assertEqual(self.src.bye().status, 200)


class SilenceTests(RecorderTestCase):
    """
    What our responses do not say.
    """

    def test_A7_noOptionTag(self) -> None:
        """
        No response advertises or requires C{siprec}, whatever the peer
        supports.
        """
        supported = ("Supported", "siprec, timer, 100rel, replaces")
        for response in (
            self.src.call(supported, ("Session-Expires", "1800")),
            self.src.update(),
            self.src.ask(self.src.make("OPTIONS")),
        ):
            self.assertEqual(response.status, 200)
            tags = response.headers.values("Supported") + response.headers.values("Require")
            self.assertNotIn("siprec", tags)

    def test_A8_record(self) -> None:
        """
        C{a=record} and C{a=recordpref}, of the session and of a line, change
        nothing, and are not in our answer.
        """
        said = offer().replace(b"t=0 0\r\n", b"t=0 0\r\na=recordpref:off\r\na=record:on\r\n")
        said += b"a=record:paused\r\na=recordpref:nopreference\r\n"
        response = self.src.call(sdp=said)
        self.assertEqual([line[1] for line in lines(response)], ["recvonly", "recvonly"])
        self.assertNotIn(b"a=record", response.body)


class ClientTests(RecorderTestCase):
    """
    What clients were seen to send (CONFORMANCE J).
    """

    def test_J5_order(self) -> None:
        """
        Labels in the order of another version, From the same as To and the
        Request-URI, CSeq from 2: lines keep their order, streams their label.
        """
        self.src.cseq = 1
        own = "<sip:srs@192.0.2.1>"
        response = self.src.call(
            ("From", f"{own};tag=theirs"), sdp=offer(OfferedStream("2", 40000), ONE)
        )
        self.assertEqual([line[2] for line in lines(response)], ["2", "1"])
        manifest = self.house.manifest
        names = {each["id"]: each["name"] for each in manifest["participants"]}
        heard = [names[each["participant"]] for each in manifest["streams"]]
        self.assertEqual(heard, ["Bob", "Ann"])
        self.assertEqual(self.src.bye().status, 200)

    def test_J10_pauseWithoutMetadata(self) -> None:
        """
        Pause and resume as re-INVITEs with nothing but a description, from a
        client without C{+sip.src}.
        """
        self.src.contact = f"<sip:src@{PEER}:5060>"
        self.src.call(sdp=offer(ONE))
        for version, stream, direction in ((2, _HELD, "inactive"), (3, ONE, "recvonly")):
            response = self.src.reinvite(sdp=offer(stream, version=version))
            self.assertEqual([line[1] for line in lines(response)], [direction])
        self.assertEqual(self.house.events(), ["streamPaused", "streamResumed"])
        self.assertEqual(len(self.house.manifest["metadata"]), 1)

    def test_J11_emptyLine(self) -> None:
        """
        Parts that begin with an empty line: the metadata is read.
        """
        self.src.call(metadata=b"\r\n" + makeMetadata(["Ann", "Bob"], ["1", "2"]))
        manifest = self.house.manifest
        self.assertEqual({each["name"] for each in manifest["participants"]}, {"Ann", "Bob"})

    def test_J11_pings(self) -> None:
        """
        An OPTIONS every 10 s, outside of the call, does nothing to it.
        """
        self.src.call()
        for number in range(3):
            self.house.wait(10)
            ping = self.src.make(
                "OPTIONS", ("To", "<sip:srs@192.0.2.1>"), ("Call-ID", f"p{number}")
            )
            self.assertEqual(self.src.ask(ping).status, 200)
        self.assertEqual(self.house.events(), [])

    def test_J4_snapshotNeverAsked(self) -> None:
        """
        A client that allows no UPDATE is asked for nothing: the recorder waits
        for what it sends.
        """
        self.src.call(("Allow", "INVITE, ACK, BYE, CANCEL"))
        sent = [each for each in self.house.wait(120) if isinstance(each, Request | Response)]
        self.assertEqual(sent, [])
