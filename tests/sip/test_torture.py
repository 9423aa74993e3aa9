"""
SIP torture tests (RFC 4475): what of a message is
valid, at the level of parsing.  What a user agent answers to the valid ones is
tested with the user agent.

The messages here are our own, one for each rule; the originals are read where
the public test material is at hand.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadHeader, BadMessage
from siprec.sip.framing import Framed, Invalid, StreamFramer, parseDatagram
from siprec.sip.message import Request, Response
from siprec.sip.multipart import leaves, parseBody
from siprec.sip.uri import OtherURI, SipURI
from tests.sip.vectors import NO_ORIGINALS, SDP, message, original

#: The verdict on a message that parses.
VALID = "valid"

# CONFORMANCE section F, as far as a datagram is parsed: the status that answers
# it, or C{None} where it is dropped.
VERDICTS: dict[str, str | int | None] = {
    **dict.fromkeys(["wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp"], VALID),
    **dict.fromkeys(["longreq", "dblreq", "semiuri", "transports", "mpart01"], VALID),
    **dict.fromkeys(["unreason", "noreason", "trws", "baddate", "regbadct"], VALID),
    **dict.fromkeys(["badbranch", "unkscm", "novelsc", "unksm2", "bext01"], VALID),
    **dict.fromkeys(["invut", "regaut01", "bcast", "zeromf", "cparam01"], VALID),
    **dict.fromkeys(["cparam02", "regescrt", "sdp01", "inv2543"], VALID),
    **dict.fromkeys(["badinv01", "clerr", "ncl", "scalar02", "quotbal"], 400),
    **dict.fromkeys(["ltgtruri", "lwsruri", "lwsstart", "escruri", "badaspec"], 400),
    **dict.fromkeys(["baddn", "mismatch01", "mismatch02", "insuf", "multi01"], 400),
    "mcl01": 400,
    "badvers": 505,
    "scalarlg": None,
    "bigcode": None,
}
# Where a stream ends because nobody can tell where the next message begins;
# inv2543 has no Content-Length, which only a datagram may lack.
FATAL = {"ncl", "mcl01", "inv2543"}


def verdict(data: bytes) -> str | int | None:
    """
    @return: what becomes of a datagram.
    """
    try:
        found = parseDatagram(data)
    except BadMessage as error:
        # What is to be answered must be answerable.
        return error.status if error.request is not None else None
    return VALID if found is not None else "ignored"


def parsed(data: bytes) -> Request | Response:
    """
    @return: the message of a datagram that must be valid.
    """
    found = parseDatagram(data)
    assert found is not None
    return found


def request(data: bytes) -> Request:
    """
    @return: the request of a datagram that must be valid.
    """
    found = parsed(data)
    assert isinstance(found, Request)
    return found


class OwnValidTests(SynchronousTestCase):
    """
    Messages that look wrong and are not.
    """

    def test_wsinv(self) -> None:
        """
        Blanks, folding, compact forms and leading zeros (section 3.1.1.1).
        """
        data = (
            b"INVITE sip:srs@h;unknownparam SIP/2.0\r\n"
            b"TO :\r\n sip:srs@h ;   tag    = 19n\r\n"
            b'from   : "J \\\\\\"" <sip:src@h>\r\n  ;\r\n  tag = 98a\r\n'
            b"MaX-fOrWaRdS: 0068\r\ni: ws@192.0.2.1\r\nContent-Length   : 0%d\r\n"
            b"cseq: 0009\r\n  INVITE\r\n"
            b"Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390\r\ns :\r\n"
            b"Odd: ;;,,;;,;\r\nc: application/sdp\r\n"
            b"v:  SIP  / 2.0  / TCP     a.example   ;\r\n  branch  =   z9hG4bK9  ,\r\n"
            b" SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK3\r\n"
            b'm:"Quoted \\"\\"" <sip:src@h> ; newparam =\r\n      newvalue ;\r\n  q = 0.33\r\n\r\n'
        ) % len(SDP)
        found = request(data + SDP)
        self.assertEqual((found.toTag, found.fromTag, found.cseq.number), ("19n", "98a", 9))
        self.assertEqual([via.branch for via in found.vias], ["390", "z9hG4bK9", "z9hG4bK3"])
        self.assertEqual(found.fromAddr.displayName, 'J \\"')
        self.assertEqual((found.headers.get("Subject"), found.body), ("", SDP))
        self.assertEqual(found.contacts[0].param("newparam"), "newvalue")

    def test_intmeth(self) -> None:
        """
        A method may be any token, a user nearly anything, a quoted name may
        hold escaped controls and a parameter UTF-8 (section 3.1.1.2).
        """
        method = "!odd-Method0123456789_*+`.%indeed'~"
        found = request(
            message(
                f"{method} sip:1.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1@h SIP/2.0",
                {
                    "To": '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~@h>',
                    "From": "a~` b'+_ <sip:m@h>;fromParam''~+*_!.-%=\"\u0440\";tag=_t~1'+`*%!-.",
                },
            )
        )
        self.assertEqual(found.method, method)
        assert isinstance(found.requestURI, SipURI)
        self.assertEqual(found.requestURI.host, "h")
        self.assertEqual(found.fromAddr.param("fromParam''~+*_!.-%"), "\u0440")
        self.assertEqual(found.fromTag, "_t~1'+`*%!-.")

    def test_escapes(self) -> None:
        """
        Escapes are undone once and only to compare, and never in methods and
        header names (sections 3.1.1.3 to 3.1.1.5).
        """
        found = request(message("RE%47IST%45R sip:a%2541%00@h SIP/2.0", more="C%6Fntact: x y\r\n"))
        self.assertEqual(
            (found.method, found.contacts[0].hasParam("+sip.src")), ("RE%47IST%45R", True)
        )
        assert isinstance(found.requestURI, SipURI)
        self.assertEqual(found.requestURI.user, "a%2541%00")

    def test_long(self) -> None:
        """
        Dozens of Via values and tags of hundreds of bytes (section 3.1.1.7).
        """
        tag = "very" * 100 + "long"
        vias = "".join(f"v: SIP/2.0/TCP host{n}.example\r\n" for n in range(34))
        found = request(message(fields={"From": f"<sip:a@h>;tag={tag}"}, more=vias))
        self.assertEqual((len(found.vias), found.fromTag), (35, tag))

    def test_surplus(self) -> None:
        """
        Octets behind the body of a datagram are ignored (section 3.1.1.8).
        """
        register = message("REGISTER sip:h SIP/2.0")
        self.assertEqual(request(register + b"\r\n" + message()).method, "REGISTER")

    def test_multipart(self) -> None:
        """
        NULs in a body are framed by Content-Length and boundary (section
        3.1.1.11).
        """
        body = b"--7a9c\r\n\r\nHello\r\n--7a9c\r\nContent-Type: a/b\r\n\r\n0\x00\n\x00\r\n--7a9c--"
        kind = {"Content-Type": "multipart/mixed;boundary=7a9c"}
        found = request(message("MESSAGE sip:h SIP/2.0", kind, body))
        parts = leaves(parseBody(found.headers, found.body))
        self.assertEqual([part.body for part in parts], [b"Hello", b"0\0\n\0"])

    def test_reasons(self) -> None:
        """
        A reason phrase may be UTF-8 or empty (sections 3.1.1.12 and 3.1.1.13).
        """
        for phrase in ("= 2**3 * 5**2 \u043d\u043e", ""):
            found = parsed(message(f"SIP/2.0 200 {phrase}"))
            assert isinstance(found, Response)
            self.assertEqual(found.reason, phrase)

    def test_strangeButValid(self) -> None:
        """
        Unknown transports, schemes, extensions and types, zero Max-Forwards, a
        bare magic cookie and two Via in a response are not for the parser to
        judge (sections 3.1.1.10, 3.2.1 and 3.3).
        """
        for start, fields, more in (
            ("OPTIONS sip:h SIP/2.0", {}, "v: SIP/2.0/UNKNOWN h;branch=z9hG4bK1\r\n"),
            ("OPTIONS nobodyKnows:opaque SIP/2.0", {}, ""),
            ("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", {}, ""),
            ("REGISTER sip:h SIP/2.0", {"To": "isbn:298", "From": "<http://h>;tag=3"}, ""),
            ("OPTIONS sip:h SIP/2.0", {"Require": "nothing", "Proxy-Require": "noProxies"}, ""),
            ("OPTIONS sip:h SIP/2.0", {"Max-Forwards": "0"}, ""),
            ("OPTIONS sip:h SIP/2.0", {"Via": "SIP/2.0/UDP h;branch=z9hG4bK"}, ""),
            ("SIP/2.0 200 OK", {}, "v: SIP/2.0/UDP 255.255.255.255\r\n"),
            ("INVITE sip:h SIP/2.0", {"Date": "Fri, 01 Jan 2010 16:00:00 EST"}, ""),
        ):
            self.assertEqual(verdict(message(start, fields, more=more)), VALID, (start, fields))

    def test_contactParameters(self) -> None:
        """
        A bare Contact has header parameters, one in brackets those of the URI
        (sections 3.3.12 to 3.3.14).
        """
        for contact, inURI in (
            ("sip:+1972@gw;unknownparam", False),
            ("<sip:+1972@gw;unknownparam>", True),
            ("<sip:user@h?Route=%3Csip:sip.example.com%3E;unknownparam>", False),
        ):
            found = request(message("REGISTER sip:h SIP/2.0", {"Contact": contact}))
            address = found.contacts[0]
            assert isinstance(address.uri, SipURI)
            self.assertEqual(address.uri.hasParam("unknownparam"), inURI)
            self.assertEqual(address.hasParam("unknownparam"), contact.startswith("sip"))


class OwnInvalidTests(SynchronousTestCase):
    """
    Messages that are wrong.
    """

    def test_headers(self) -> None:
        """
        Wrong values of what transactions and dialogs rest on: 400 (sections
        3.1.2.1, 3.1.2.4, 3.1.2.6, 3.1.2.14, 3.1.2.15, 3.1.2.17 and 3.1.2.18).
        """
        for name, value in (
            ("Via", "SIP/2.0/UDP 192.0.2.15;;,;,,"),
            ("Contact", '"Joe" <sip:joe@example.org>;;;;'),
            ("CSeq", "36893488147419103232 INVITE"),
            ("CSeq", "8 OPTIONS"),
            ("To", '"Mr. J. User <sip:j.user@example.com>'),
            ("To", '"Watson, Thomas" < sip:t.watson@example.org >'),
            ("From", "Bell, Alexander <sip:a.g.bell@example.com>;tag=43"),
        ):
            self.assertEqual(verdict(message(fields={name: value})), 400, value)

    def test_requestLines(self) -> None:
        """
        Angle brackets, blanks and headers in the Request-URI: 400; a blank at
        the end of the line is forgiven (sections 3.1.2.7 to 3.1.2.11).
        """
        for uri in ("<sip:u@h>", "sip:u@h; lr", " sip:u@h ", "sip:u@h?Route=%3Csip:h%3E"):
            self.assertEqual(verdict(message(f"INVITE {uri} SIP/2.0")), 400, uri)
        self.assertEqual(verdict(message("OPTIONS sip:remote@h SIP/2.0 ")), VALID)

    def test_badContactOfAnother(self) -> None:
        """
        The Contact of a REGISTER is the registrar's concern: it parses, and its
        Contact does not (section 3.1.2.13).
        """
        found = request(
            message("REGISTER sip:h SIP/2.0", {"Contact": "sip:user@h?Route=%3Csip:h%3E"})
        )
        self.assertRaises(BadHeader, getattr, found, "contacts")

    def test_lengths(self) -> None:
        """
        A Content-Length too large, negative or doubled: 400 (sections 3.1.2.2,
        3.1.2.3 and 3.3.9).
        """
        for length in ("9999", "-999"):
            self.assertEqual(verdict(message(fields={"Content-Length": length}, body=SDP)), 400)
        self.assertEqual(verdict(message(more="Content-Length: 5\r\n", body=SDP)), 400)

    def test_missingAndDoubled(self) -> None:
        """
        Mandatory headers missing, or single ones twice: 400 (sections 3.3.1 and
        3.3.8).
        """
        missing = {"Call-ID": None, "From": None, "To": None}
        self.assertEqual(verdict(message(fields=missing)), 400)
        self.assertEqual(verdict(message(more="CSeq: 5 INVITE\r\ni: other\r\n")), 400)

    def test_version(self) -> None:
        """
        SIP/7.0 is answered with 505 (section 3.1.2.16).
        """
        self.assertEqual(verdict(message("OPTIONS sip:h SIP/7.0", {"Via": "SIP/7.0/UDP h"})), 505)

    def test_responses(self) -> None:
        """
        A response with a number out of range is dropped (sections 3.1.2.5 and
        3.1.2.19).
        """
        self.assertIsNone(verdict(message("SIP/2.0 4294967301 better not break the receiver")))
        self.assertIsNone(
            verdict(message("SIP/2.0 503 No", {"CSeq": "9292394834772304023312 OPTIONS"}))
        )


class OriginalTests(SynchronousTestCase):
    """
    The 49 messages of RFC 4475, bit for bit.
    """

    folder = original("rfc4475")
    if folder is None:
        skip = NO_ORIGINALS

    def read(self, name: str) -> bytes:
        """
        @return: one of the messages.
        """
        assert self.folder is not None
        return (self.folder / f"{name}.dat").read_bytes()

    def test_F_datagrams(self) -> None:
        """
        Each has its verdict in a datagram.
        """
        found = {name: verdict(self.read(name)) for name in VERDICTS}
        self.assertEqual(found, VERDICTS)
        self.assertEqual(len(found), 49)

    def test_F_all(self) -> None:
        """
        No message is left out.
        """
        assert self.folder is not None
        names = {path.stem for path in self.folder.glob("*.dat")} - {"test"}
        self.assertEqual(names, set(VERDICTS))

    def test_F_streams(self) -> None:
        """
        Each has its verdict on a stream as well, the same in one segment and
        byte by byte.
        """
        for name, expected in VERDICTS.items():
            # One original lacks its blank line; surplus octets are the next
            # message of a stream.
            data = self.read(name) + (b"\r\n" if name == "baddn" else b"")
            slow = StreamFramer()
            items: list[Framed] = []
            for position in range(len(data)):
                items += slow.feed(data[position : position + 1])
            whole = StreamFramer().feed(data)
            self.assertEqual(len(items), len(whole), name)
            if name == "clerr":
                self.assertEqual((items, slow.partial), ([], True))
                continue
            first = items[0]
            if isinstance(first, Invalid):
                self.assertEqual(first.fatal, name in FATAL or name == "bigcode", name)
                self.assertEqual(first.error.status, 400 if name == "inv2543" else expected, name)
            else:
                self.assertEqual((expected, first), (VALID, whole[0]), name)

    def test_baddn(self) -> None:
        """
        Its display name is refused, not only its missing blank line.
        """
        error = self.assertRaises(BadMessage, parseDatagram, self.read("baddn") + b"\r\n")
        self.assertEqual((str(error)[:12], error.status), ("display name", 400))

    def test_details(self) -> None:
        """
        What the RFC says of some of the valid ones.
        """
        self.assertEqual(len(request(self.read("wsinv")).vias), 3)
        self.assertEqual(request(self.read("wsinv")).cseq.number, 9)
        self.assertEqual(len(request(self.read("longreq")).vias), 34)
        self.assertEqual(request(self.read("dblreq")).method, "REGISTER")
        semicolon = request(self.read("semiuri")).requestURI
        assert isinstance(semicolon, SipURI)
        self.assertEqual(semicolon.user, "user;par=u%40example.net")
        self.assertEqual(request(self.read("lwsdisp")).fromAddr.displayName, "caller")
        self.assertIsInstance(request(self.read("unkscm")).requestURI, OtherURI)
        self.assertIsNone(request(self.read("inv2543")).via.branch)
        self.assertEqual(len(parsed(self.read("bcast")).vias), 2)
        multi = request(self.read("mpart01"))
        kinds = [leaf.contentType for leaf in leaves(parseBody(multi.headers, multi.body))]
        self.assertEqual(len(kinds), 2)
        self.assertRaises(BadHeader, getattr, request(self.read("regbadct")), "contacts")

    def test_identity(self) -> None:
        """
        What is valid is serialised so that it parses to an equal message.
        """
        for name, expected in VERDICTS.items():
            if expected == VALID:
                found = parsed(self.read(name))
                again = parsed(found.serialize())
                self.assertEqual(again.headers.without("l"), found.headers.without("l"), name)
                self.assertEqual(again.body, found.body, name)
