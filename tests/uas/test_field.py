"""
Calls of clients as they were seen in the field, as bytes on the wire: no message
here is one that a careful client would send.
"""

from __future__ import annotations

from siprec.sip.errors import BadMessage
from siprec.sip.framing import parseDatagram
from siprec.sip.message import Response
from siprec.testing.offer import OfferedStream, makeMetadata
from tests.uas.kit import ONE, PEER, TWO, RecorderTestCase, Src, lines, offer

# PJSIP with optional SRTP: no labels, both ways, and keys on a plain profile.
_SECURED = b"""\
v=0
o=- 3975000000 3975000000 IN IP4 192.0.2.7
s=pjmedia
b=AS:117
t=0 0
a=X-nat:0
m=audio 40000 RTP/AVP 8 0 120
c=IN IP4 192.0.2.7
b=TIAS:96000
a=rtcp:40001 IN IP4 192.0.2.7
a=sendrecv
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:120 telephone-event/8000
a=fmtp:120 0-16
a=ssrc:868424372 cname:1d3a5f0e2b1c
a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
m=audio 40002 RTP/AVP 8 0 120
c=IN IP4 192.0.2.7
a=rtcp:40003 IN IP4 192.0.2.7
a=sendrecv
a=rtpmap:8 PCMA/8000
a=rtpmap:120 telephone-event/8000
""".replace(b"\n", b"\r\n")

_DOCUMENT = makeMetadata(["Ann", "Bob"], ["1", "2"])


def parts(*parts: tuple[str, bytes], before: bytes = b"\r\n") -> bytes:
    """
    @return: a multipart body as PJSIP writes it: a line break before the first
        boundary, and the length of each part in its head.
    """
    body = before
    for kind, data in parts:
        head = f"--0q9k2dl\r\nContent-Type: {kind}\r\nContent-Length:{len(data):5}\r\n\r\n"
        body += head.encode() + data + b"\r\n"
    return body + b"--0q9k2dl--\r\n"


class FieldTests(RecorderTestCase):
    """
    Bytes that come, and what is answered and recorded.
    """

    def raw(self, start: str, *headers: str, body: bytes = b"") -> list[Response]:
        """
        @return: the responses to a datagram.
        """
        head = "\r\n".join((start, *headers, f"Content-Length:  {len(body):4}", "", ""))
        try:
            found = parseDatagram(head.encode() + body)
        except BadMessage as error:
            self.house.doorway.badMessage(error, self.src.flow)
        else:
            assert found is not None
            self.house.doorway.messageReceived(found, self.src.flow)
        return [each for each in self.house.wire.take() if isinstance(each, Response)]

    def pjsip(self, sdp: bytes, **names: str) -> Response:
        """
        @return: the answer to an INVITE in PJSIP's manner.
        """
        callID, cseq = names.get("callID", "Call-ID"), names.get("cseq", "CSeq")
        body = parts(("application/rs-metadata+xml", _DOCUMENT), ("application/sdp", sdp))
        [response] = self.raw(
            "INVITE sip:srs@192.0.2.1 SIP/2.0",
            f"Via: SIP/2.0/UDP {PEER}:5060;rport;branch=z9hG4bKPjb8a1",
            "Max-Forwards: 70",
            f"From: sip:src@{PEER};tag=theirs",
            "To: sip:srs@192.0.2.1",
            f"Contact: <sip:src@{PEER}:5060;ob>;+sip.src",
            f"{callID}: {self.src.callID}",
            f"{cseq}: 21913 INVITE",
            "Supported: replaces, 100rel, timer, norefersub",
            "Session-Expires: 1800",
            "Min-SE: 90",
            "Require: siprec",
            "Content-Type: multipart/mixed;boundary=0q9k2dl",
            body=body,
        )
        self.assertEqual(response.status, 200)
        self.src.toTag, self.src.cseq = response.toTag, 21913
        self.src.last = self.src.make("INVITE", cseq=21913)
        self.src.ack()
        return response

    def names(self) -> list[str]:
        """
        @return: who is heard on each stream.
        """
        manifest = self.house.manifest
        found = {each["id"]: each["name"] for each in manifest["participants"]}
        return [found[each["participant"]] for each in manifest["streams"]]

    def test_J8_order(self) -> None:
        """
        The metadata comes before the description, each part says its length,
        From and To have no brackets: both participants are known, and the
        session timer is agreed.
        """
        response = self.pjsip(offer())
        self.assertEqual(
            [line[1:] for line in lines(response)], [("recvonly", "1"), ("recvonly", "2")]
        )
        self.assertEqual(self.names(), ["Ann", "Bob"])
        self.assertEqual(response.headers.get("Session-Expires"), "1800;refresher=uac")
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_J8_optionalSRTP(self) -> None:
        """
        Keys on a plain profile, no labels, both directions: the line that has keys is
        answered with one, in its profile, the other one is taken in the clear; both are
        received only, and the order of the lines says who is who.
        """
        response = self.pjsip(_SECURED)
        first, second = response.body.split(b"m=audio ")[1:]
        self.assertIn(b"a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:", first)
        self.assertNotIn(b"crypto", second)
        for line in (first, second):
            self.assertIn(b"RTP/AVP 8", line)
        self.assertEqual([line[1] for line in lines(response)], ["recvonly", "recvonly"])
        self.assertEqual(self.names(), ["Ann", "Bob"])
        self.assertEqual(self.src.bye().status, 200)

    def test_J11_oddNames(self) -> None:
        """
        Header names in another case.
        """
        self.pjsip(offer(), callID="Call-Id", cseq="Cseq")
        self.assertEqual(self.src.bye().status, 200)

    def test_J12_ackWithoutCSeq(self) -> None:
        """
        An ACK without CSeq is dropped; a good one after it is taken, and the
        call lives.
        """
        response = self.src.invite()
        found = self.raw(
            "ACK sip:192.0.2.1:5060 SIP/2.0",
            f"Via: SIP/2.0/UDP {PEER}:5060;branch=z9hG4bKbroken",
            f"From: <sip:src@{PEER}>;tag=theirs",
            f"To: <sip:srs@192.0.2.1>;tag={response.toTag}",
            f"Call-ID: {self.src.callID}",
        )
        self.assertEqual(found, [])
        self.src.ack()
        self.assertEqual(self.house.wait(40), [])
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_J2_inTheInvite(self) -> None:
        """
        A bare C{&} in the URI of the caller costs neither participant.
        """
        document = _DOCUMENT.replace(b"sip:", b"sip:a&b;", 1)
        self.assertNotEqual(document, _DOCUMENT)
        self.src.call(metadata=document)
        self.assertEqual(sorted(self.names()), ["Ann", "Bob"])

    def test_J3_unchangedOffer(self) -> None:
        """
        Where a pause is an unchanged offer, it is answered as before; where it
        is C{a=inactive} the answer is, and resuming brings the stream back.
        """
        self.src.call()
        again = self.src.reinvite(sdp=offer(version=2))
        self.assertEqual([line[1] for line in lines(again)], ["recvonly", "recvonly"])
        held = [OfferedStream(each.label, each.port, direction="inactive") for each in (ONE, TWO)]
        paused = self.src.reinvite(sdp=offer(*held, version=3))
        self.assertEqual([line[1] for line in lines(paused)], ["inactive", "inactive"])
        resumed = self.src.reinvite(sdp=offer(version=4))
        self.assertEqual([line[1] for line in lines(resumed)], ["recvonly", "recvonly"])
        kinds = [each for each in self.house.events() if each.startswith("stream")]
        self.assertEqual(kinds, ["streamPaused"] * 2 + ["streamResumed"] * 2)

    def test_J6_sameDocument(self) -> None:
        """
        The same document in every re-INVITE, with times whose zone has no
        colon, changes nothing; each is kept.
        """
        document = _DOCUMENT.replace(b"Z</", b"+0000</")
        self.src.call(metadata=document)
        for version in (2, 3):
            self.src.reinvite(sdp=offer(version=version), metadata=document)
        self.assertEqual(self.names(), ["Ann", "Bob"])
        manifest = self.house.manifest
        self.assertEqual(len(manifest["participants"]), 2)
        self.assertEqual({each["status"] for each in manifest["metadata"]}, {"ok"})

    def test_J9_offers(self) -> None:
        """
        100rel in Supported, an interval of half an hour: no reliable answer is
        sent, and at hold the stream that is still offered goes on.
        """
        headers = (("Supported", "100rel, timer"), ("Session-Expires", "1800"))
        response = self.src.invite(*headers)
        self.assertIsNone(response.headers.get("RSeq"))
        self.assertEqual(response.headers.get("Session-Expires"), "1800;refresher=uac")
        self.src.ack()
        dropped = _DOCUMENT.replace(b"<send>", b"<!-- <send>").replace(b"</send>", b"</send> -->")
        again = self.src.reinvite(sdp=offer(version=2), metadata=dropped)
        self.assertEqual([line[1] for line in lines(again)], ["recvonly", "recvonly"])
        self.assertEqual(len(self.house.manifest["streams"]), 2)

    def test_J10_withoutTag(self) -> None:
        """
        Without C{+sip.src}, with C{Require: siprec} and metadata of the older
        format, the call is taken.
        """
        other = Src(self.house, contact=f"<sip:src@{PEER}:5060>")
        old = _DOCUMENT.replace(b"recording:1", b"recording")
        self.assertEqual(other.call(metadata=old).status, 200)
        self.assertEqual(sorted(self.names()), ["Ann", "Bob"])
        other.bye()
