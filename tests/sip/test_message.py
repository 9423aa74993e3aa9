"""
Tests of L{siprec.sip.message}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadHeader, BadMessage
from siprec.sip.message import REASONS, Request, Response, makeResponse, parseMessage
from tests.sip.vectors import SDP, message


def request(data: bytes) -> Request:
    """
    Parse what must be a request.
    """
    found = parseMessage(data)
    assert isinstance(found, Request)
    return found


class ParseTests(SynchronousTestCase):
    """
    L{parseMessage} with messages that are good.
    """

    def test_request(self) -> None:
        """
        A request has method, Request-URI, headers and body.
        """
        found = request(message(body=SDP))
        self.assertEqual((found.method, found.uri), ("INVITE", "sip:srs@192.0.2.9"))
        self.assertEqual((found.fromTag, found.body), ("1928301774", SDP))
        self.assertEqual(found.serialize(), message(body=SDP))

    def test_response(self) -> None:
        """
        A response has status, reason, headers and body; the reason may hold
        anything or be missing altogether.
        """
        for start, reason in (
            ("SIP/2.0 200 = 2**3 * 5**2 \u0438\udcff", "= 2**3 * 5**2 \u0438\udcff"),
            ("SIP/2.0 200 ", ""),
            ("sip/2.0 200", ""),
        ):
            found = parseMessage(message(start))
            assert isinstance(found, Response)
            self.assertEqual((found.status, found.reason), (200, reason))

    def test_emptyLinesBefore(self) -> None:
        """
        Empty lines before the start line are ignored (RFC 3261 section 7.5).
        """
        self.assertEqual(parseMessage(b"\r\n\r\n" + message()), parseMessage(message()))

    def test_folding(self) -> None:
        """
        A line that begins with a blank continues the one before (RFC 3261
        section 7.3.1); blanks around name and value do not count.
        """
        folded = {"From": None, "Subject": None}
        found = request(
            message(
                fields=folded,
                more="from  :\r\n <sip:a@h>\r\n\t;tag=x\r\nSubject:  I know\r\n  \r\n",
            )
        )
        self.assertEqual(found.fromTag, "x")
        self.assertEqual(found.headers.get("Subject"), "I know")

    def test_A33_noBlankAfterTheColon(self) -> None:
        """
        A header needs no blank after its colon.
        """
        found = request(message(more="Content-Type:application/SDP;charset=x\r\n"))
        self.assertEqual(found.contentType, ("application/sdp", (("charset", "x"),)))

    def test_unknownHeaders(self) -> None:
        """
        Unknown headers, empty ones and those with bytes that are not UTF-8
        are kept as they are (RFC 3261 section 8.2.2, RFC 4475 section 3.1.1.1).
        """
        more = "X-Odd: ;;,,;;,;\r\nSupported:\r\nextensionHeader-!.%*+_`'~: \udcef\udcbb x\r\n"
        found = request(message(more=more))
        self.assertEqual(found.headers.get("x-odd"), ";;,,;;,;")
        self.assertEqual(found.headers.get("k"), "")
        self.assertEqual(found.headers.get("extensionHeader-!.%*+_`'~"), "\udcef\udcbb x")
        self.assertIn(b"~: \xef\xbb x\r\n", found.serialize())

    def test_old(self) -> None:
        """
        An RFC 2543 peer sends neither branch nor From tag, Max-Forwards nor
        Content-Length (RFC 4475 section 3.4.1).
        """
        old = {"Via": "SIP/2.0/UDP h", "From": "<sip:a@h;user=phone>", "Max-Forwards": None}
        found = request(message(fields={**old, "Content-Length": None}, body=SDP))
        self.assertEqual((found.via.branch, found.fromTag, found.body), (None, None, SDP))

    def test_anyScheme(self) -> None:
        """
        The scheme of the Request-URI is not judged here: 416 is the user
        agent's answer.
        """
        self.assertEqual(request(message("OPTIONS soap.beep://h SIP/2.0")).uri, "soap.beep://h")

    def test_malformedButOfNoConcern(self) -> None:
        """
        Malformed headers that do not matter here are left alone (RFC 3261
        section 8.2.2): a Date, or the Contact of a BYE or a response.
        """
        more = {"Contact": "<<sip:a@h>;x>", "Date": "Fri, 01 Jan 2010 16:00:00 EST"}
        for start in ("BYE sip:srs@h SIP/2.0", "SIP/2.0 488 No"):
            found = parseMessage(message(start, more))
            self.assertRaises(BadHeader, getattr, found, "contacts")


class RefuseTests(SynchronousTestCase):
    """
    L{parseMessage} with messages that are not.
    """

    def refused(self, data: bytes, status: int | None = 400, answerable: bool = True) -> BadMessage:
        """
        Assert how a message is refused.
        """
        error: BadMessage = self.assertRaises(BadMessage, parseMessage, data)
        self.assertEqual((error.status, error.request is not None), (status, answerable), data)
        return error

    def test_mandatory(self) -> None:
        """
        A request without From, To, Call-ID or CSeq gets a 400; without a Via
        nobody knows where to send it.
        """
        for name in ("From", "To", "Call-ID", "CSeq"):
            self.refused(message(fields={name: None}))
        self.refused(message(fields={"Call-ID": ""}))
        self.refused(message(fields={"Via": None}), answerable=False)

    def test_doubled(self) -> None:
        """
        Headers that may be there once are refused when doubled, in compact
        form as well (RFC 4475 section 3.3.8).
        """
        for line in (
            "f: <sip:a@h>;tag=1",
            "To: <sip:a@h>",
            "i: x",
            "CSeq: 314159 INVITE",
            "Max-Forwards: 5",
            "l: 0",
            "c: text/plain\r\nContent-Type: text/plain",
        ):
            self.refused(message(more=f"{line}\r\n"))

    def test_wrong(self) -> None:
        """
        Each header that routing and dialogs rest on must be well-formed, and
        CSeq must be of the method.
        """
        for name, value in (
            ("CSeq", "314159 BYE"),
            ("CSeq", "4294967296 INVITE"),
            ("From", '"Mr. J. User <sip:j.user@example.com>'),
            ("To", "< sip:t.watson@example.org >"),
            ("Via", "SIP/2.0/UDP h;;"),
            ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0"),
            ("Contact", "sip:a@h?x=y"),
            ("Content-Length", "-999"),
            ("Content-Length", "1e3"),
        ):
            self.refused(message(fields={name: value}))

    def test_requestLine(self) -> None:
        """
        A request line holds three words (RFC 4475 sections 3.1.2.7 to 3.1.2.9);
        a blank at its end is forgiven.
        """
        for uri in (
            "<sip:user@example.com>",
            "sip:user@example.com; lr",
            " sip:user@example.com ",
            "sip:user@example.com?Route=%3Csip:example.com%3E",
            "sip:2001:db8::10",
            "sip:",
        ):
            self.refused(message(f"INVITE {uri} SIP/2.0"))
        self.refused(message("INVITE  SIP/2.0"))
        parseMessage(message("INVITE sip:user@example.com SIP/2.0  "))

    def test_version(self) -> None:
        """
        Another version of SIP is answered with 505 (RFC 4475 section 3.1.2.16).
        """
        error = self.refused(message("OPTIONS sip:h SIP/7.0", {"Via": "SIP/7.0/UDP h"}), 505)
        self.assertEqual(str(error), "version SIP/7.0")

    def test_noSIP(self) -> None:
        """
        What has no start line of SIP cannot be answered.
        """
        for start in (
            "GET / HTTP/1.1",
            "",
            "INVITE",
            "IN\u00dcITE sip:h SIP/2.0",
            "X\rY sip:h SIP/2.0",
        ):
            self.refused(message(start), answerable=False)

    def test_headerLines(self) -> None:
        """
        A line that is no header, and a CR or LF alone, are refused: others
        might see another message in it.
        """
        for line in ("garbage", ": x", "Bad Name: x", "X: a\nY: b", "X: a\rY: b", "X: a\r"):
            self.refused(message(more=f"{line}\r\n"))

    def test_noEnd(self) -> None:
        """
        Without the empty line, headers may be missing.
        """
        self.refused(message()[:-2])

    def test_J12_nothingAnswersAnACK(self) -> None:
        """
        A bad ACK, such as one without CSeq, is dropped.
        """
        self.refused(message("ACK sip:srs@h SIP/2.0", {"CSeq": None}), None, False)

    def test_badResponses(self) -> None:
        """
        A bad response is dropped: of wrong version, with a status out of range
        (RFC 4475 sections 3.1.2.5 and 3.1.2.19), or not whole.
        """
        for start in (
            "SIP/2.0 4294967301 x",
            "SIP/2.0 99 x",
            "SIP/3.0 200 OK",
            "SIP/2.0 700 x",
            "SIP/2.0",
        ):
            self.refused(message(start), None, False)
        for fields in ({"CSeq": "9292394834772304023312 OPTIONS"}, {"Via": None}, {"To": None}):
            self.refused(message("SIP/2.0 200 OK", fields), None, False)
        self.refused(b"SIP/2.0 \r" + message("SIP/2.0 200 OK"), None, False)

    def test_salvagedVia(self) -> None:
        """
        A request whose Via is only half wrong can be answered: with the part
        that can be read (RFC 4475 section 3.1.2.1).
        """
        vias = "SIP/2.0/UDP 192.0.2.15;;branch=z9hG4bK1;,;,,, SIP/1"
        bad = self.refused(message(fields={"Via": vias})).request
        assert bad is not None
        self.assertEqual(str(bad.via), "SIP/2.0/UDP 192.0.2.15;branch=z9hG4bK1")
        self.assertEqual(len(bad.vias), 1)


class ResponseTests(SynchronousTestCase):
    """
    L{makeResponse} (RFC 3261 section 8.2.6.2).
    """

    request = request(
        message(
            fields={"Via": "SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b", "Timestamp": "54"},
            more="v: SIP/2.0/UDP c\r\n",
        )
    )

    def test_copied(self) -> None:
        """
        Via, From, To, Call-ID and CSeq are the request's, in its order.
        """
        answer = makeResponse(self.request, 180)
        self.assertEqual((answer.status, answer.reason, answer.body), (180, "Ringing", b""))
        self.assertEqual(
            list(answer.headers),
            [
                ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b"),
                ("Via", "SIP/2.0/UDP c"),
                ("From", '"SRC" <sip:src@192.0.2.7>;tag=1928301774'),
                ("To", "<sip:srs@192.0.2.9>"),
                ("Call-ID", "a84b4c76e66710@192.0.2.7"),
                ("CSeq", "314159 INVITE"),
            ],
        )

    def test_tag(self) -> None:
        """
        The tag is added where there is none; a bare To takes it as a header
        parameter.
        """
        self.assertEqual(makeResponse(self.request, 200, toTag="x").toTag, "x")
        bare = request(message(fields={"To": "sip:srs@h;user=phone"}))
        self.assertEqual(makeResponse(bare, 200, toTag="x").toTag, "x")
        tagged = request(message(fields={"To": "<sip:srs@h>;tag=old"}))
        self.assertEqual(
            makeResponse(tagged, 200, toTag="x").headers.get("To"), "<sip:srs@h>;tag=old"
        )

    def test_trying(self) -> None:
        """
        A 100 has the Timestamp (section 8.2.6.1) and no new tag; others have
        no Timestamp.
        """
        answer = makeResponse(self.request, 100, toTag="x")
        self.assertEqual((answer.toTag, answer.headers.get("Timestamp")), (None, "54"))
        self.assertNotIn("Timestamp", makeResponse(self.request, 200).headers)

    def test_rest(self) -> None:
        """
        Reason, headers, body and its type are the caller's.
        """
        answer = makeResponse(
            self.request,
            200,
            "Fine",
            headers=[("Contact", "<sip:srs@h>;+sip.srs")],
            body=SDP,
            contentType="application/sdp",
        )
        self.assertEqual((answer.reason, answer.body), ("Fine", SDP))
        self.assertEqual(answer.contentType, ("application/sdp", ()))
        self.assertTrue(answer.contacts[0].hasParam("+sip.srs"))

    def test_unknownStatus(self) -> None:
        """
        A status without a phrase of its own takes that of its class.
        """
        self.assertEqual(makeResponse(self.request, 499).reason, REASONS[400])

    def test_badRequest(self) -> None:
        """
        A request with parts missing or wrong can be answered: what is wrong
        is repeated as it came.
        """
        error = self.assertRaises(
            BadMessage, parseMessage, message(fields={"To": "x y", "Call-ID": None})
        )
        assert error.request is not None
        answer = makeResponse(error.request, 400, toTag="x")
        self.assertEqual(answer.headers.get("To"), "x y")
        self.assertNotIn("Call-ID", answer.headers)
