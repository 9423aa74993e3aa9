"""
Tests for L{siprec.sdp.parse}.
"""

import os
import re
from pathlib import Path
from time import process_time

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from siprec.sdp.model import Connection, Origin
from siprec.sdp.parse import MAX_MEDIA, MAX_WARNINGS, BadSDP, parseSDP

PROPER = (
    b"v=0\r\n"
    b"o=src 123 4 IN IP4 192.0.2.7\r\n"
    b"s=Recording\r\n"
    b"i=Calls\r\n"
    b"c=IN IP4 192.0.2.7\r\n"
    b"b=AS:128\r\n"
    b"t=0 0\r\n"
    b"a=sendonly\r\n"
    b"m=audio 40000 RTP/AVP 8 101\r\n"
    b"a=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-15\r\n"
    b"a=label:one\r\n"
    b"m=video 40002/2 RTP/AVPF 97\r\n"
    b"c=IN IP6 2001:db8::7\r\n"
    b"b=AS:512\r\n"
    b"b=RR:0\r\n"
    b"a=rtpmap:97 H264/90000\r\n"
    b"a=recvonly\r\n"
)


class ParseTests(SynchronousTestCase):
    """
    L{parseSDP} on descriptions as RFC 8866 wants them.
    """

    def test_proper(self) -> None:
        """
        A proper description is taken without a warning.
        """
        description = parseSDP(PROPER)
        self.assertEqual(description.warnings, ())
        self.assertEqual(description.origin, Origin("src", 123, 4, "IP4", "192.0.2.7"))
        self.assertEqual(description.name, "Recording")
        self.assertEqual(description.timing, ("0 0",))
        audio, video = description.media
        self.assertEqual((audio.kind, audio.port, audio.protocol), ("audio", 40000, "RTP/AVP"))
        self.assertEqual((audio.formats, audio.portCount), (("8", "101"), 1))
        self.assertEqual([codec.fmtp for codec in audio.codecs], [None, "0-15"])
        self.assertEqual((video.port, video.portCount), (40002, 2))
        self.assertEqual(description.address(0), Connection("IP4", "192.0.2.7"))
        self.assertEqual(description.address(1), Connection("IP6", "2001:db8::7"))
        self.assertEqual([description.direction(i) for i in (0, 1)], ["sendonly", "recvonly"])

    def test_writtenAgain(self) -> None:
        """
        What was parsed is written and parsed again to the same value; what means nothing
        to a recorder (here C{i=}) is not kept.
        """
        description = parseSDP(PROPER)
        self.assertEqual(description.serialize(), PROPER.replace(b"i=Calls\r\n", b""))
        self.assertEqual(parseSDP(description.serialize()), description)

    def test_noMedia(self) -> None:
        """
        Without a media line there is nothing to answer, and the error says so.
        """
        for body in (b"", b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n", b"\xff\x00", b"<xml/>"):
            error = self.assertRaises(BadSDP, parseSDP, body)
            self.assertIn("no media line", error.why)

    @given(st.binary(max_size=300))
    @settings(deadline=None)
    def test_anyBytes(self, noise: bytes) -> None:
        """
        No bytes after a media line make the parser fail, and what it makes of them is
        written and read again to the same value.
        """
        description = parseSDP(b"m=audio 4000 RTP/AVP 0\r\n" + noise)
        self.assertEqual(parseSDP(description.serialize()), description)

    @given(st.lists(st.sampled_from(PROPER.splitlines(keepends=True)), max_size=30))
    @settings(deadline=None)
    def test_anyOrder(self, lines: list[bytes]) -> None:
        """
        Lines in any order, missing or repeated, never make the parser fail.
        """
        body = b"m=audio 4000 RTP/AVP 0\n" + b"".join(line for line in lines if line[:2] != b"v=")
        description = parseSDP(body)
        wanted = 1 + sum(line.startswith(b"m=") for line in lines)
        self.assertEqual(len(description.media), wanted)
        self.assertEqual(parseSDP(description.serialize()), description)

    def test_linear(self) -> None:
        """
        A body of the greatest size costs no more than proportionally, whatever it
        repeats: media lines, session attributes or attributes of one line.
        """
        for line in (b"m=audio 0 RTP/AVP 0\r\n", b"a=x\r\n", b"a=rtpmap:0 PCMU/8000\r\n", b"m\r\n"):
            most = MAX_MEDIA - 1 if line[:2] == b"m=" else 60000 // len(line)
            body = b"a=inactive\r\nm=audio 1 RTP/AVP 0\r\n" + line * most
            start = process_time()
            description = parseSDP(b"a=y\r\n" * 1000 + body)
            for index, media in enumerate(description.media):
                description.direction(index)
                self.assertLess(len(media.codecs), 2)
            # Not a measure of speed: with the square of the size it took minutes.
            self.assertLess(process_time() - start, 3)
            self.assertLessEqual(len(description.warnings), MAX_WARNINGS)

    def test_tooLarge(self) -> None:
        """
        What is far larger than any real description is not read at all.
        """
        line = b"m=audio 0 RTP/AVP 0\r\n"
        self.assertEqual(len(parseSDP(line * MAX_MEDIA).media), MAX_MEDIA)
        error = self.assertRaises(BadSDP, parseSDP, line * (MAX_MEDIA + 1))
        self.assertEqual(error.why, "more than 128 media lines")
        error = self.assertRaises(BadSDP, parseSDP, line + b"a=x\r\n" * 20000)
        self.assertEqual(error.why, "longer than 65536 bytes")


class ToleranceTests(SynchronousTestCase):
    """
    What clients send in the field is taken (CONFORMANCE A19b).
    """

    def parsed(self, *changes: tuple[bytes, bytes]) -> None:
        """
        Change the proper description and assert that the outcome is the same value.
        """
        body = PROPER
        for old, new in changes:
            self.assertIn(old, body)
            body = body.replace(old, new)
        self.assertEqual(parseSDP(body), parseSDP(PROPER))

    def test_A19b_lineEnds(self) -> None:
        """
        Bare LF, bare CR, a missing last line end, blank lines and blanks around lines,
        and a byte order mark.
        """
        self.parsed((b"\r\n", b"\n"))
        self.parsed((b"\r\n", b"\r"))
        self.parsed((b"\r\n", b" \t\r\n"))
        self.parsed((b"\r\n", b"\r\n\r\n"))
        self.parsed((b"a=recvonly\r\n", b"a=recvonly"))
        self.parsed((b"v=0", b"\xef\xbb\xbfv=0"))
        self.parsed((b"v=0", b"\r\n  v=0"))

    def test_A19b_missingLines(self) -> None:
        """
        C{v=}, C{s=}, C{t=}, C{o=} and C{c=} may be missing.
        """
        self.parsed((b"v=0\r\n", b""), (b"t=0 0\r\n", b""))
        bare = parseSDP(b"m=audio 4000 RTP/AVP 0")
        self.assertEqual(bare.origin, Origin("-", 0, 0, "IP4", "0.0.0.0"))
        self.assertEqual((bare.name, bare.timing), ("-", ("0 0",)))
        self.assertIsNone(bare.address(0))
        self.assertEqual(bare.warnings, ("no o= line",))

    def test_A19b_blanks(self) -> None:
        """
        More than one blank, or a tab, between the tokens is as good as one.
        """
        self.parsed(
            (b"m=audio 40000 RTP/AVP 8 101", b"m= audio  40000\tRTP/AVP 8   101 "),
            (b"c=IN IP4", b"c=IN  ip4"),
            (b"a=label:one", b"a=label: one "),
        )

    def test_A19b_connection(self) -> None:
        """
        The literal decides over the family, a multicast TTL is cut off, of several
        C{c=} lines for one media line the first counts; all but the TTL are noted.  A
        host name is taken as it is.
        """
        named = parseSDP(b"c=IN IP4 src.example\nm=audio 1 RTP/AVP 0\no=- 1 1 IN IP4 h")
        self.assertEqual(named.address(0), Connection("IP4", "src.example"))
        self.assertEqual(named.warnings, ())
        mixed = b"m=audio 1 RTP/AVP 0\nc=IN IP4 2001:db8::1\nc=IN IP4 192.0.2.1\nc=IN IP5 x\nc=\n"
        description = parseSDP(b"o=- 1 1 IN IP4 h\nc=IN IP4 224.2.1.1/127/3\n" + mixed)
        self.assertEqual(description.address(0), Connection("IP6", "2001:db8::1"))
        self.assertEqual(description.connection, Connection("IP4", "224.2.1.1"))
        self.assertEqual(
            description.warnings,
            (
                "c= line says IP4: '2001:db8::1'",
                "further c= line ignored: 'IN IP4 192.0.2.1'",
                "c= line ignored: 'IN IP5 x'",
                "c= line ignored",
            ),
        )

    def test_A19b_origin(self) -> None:
        """
        The origin may name an unspecified address, a host name or a literal of another
        family; with blanks in the user name or with tokens missing it is noted.
        """
        for address in (b"0.0.0.0", b"src.example", b"2001:db8::1"):
            changed = parseSDP(
                PROPER.replace(b"IN IP4 192.0.2.7\r\ns", b"IN IP4 %s\r\ns" % address)
            )
            self.assertEqual(changed.origin.address, address.decode())
            self.assertEqual(changed.warnings, ())
        odd = parseSDP(PROPER.replace(b"o=src 123", b"o=SBC 7 core 00123"))
        self.assertEqual(odd.origin, Origin("SBC_7_core", "00123", 4, "IP4", "192.0.2.7"))
        self.assertEqual(len(odd.warnings), 1)
        short = parseSDP(b"o=x 5\r\nm=audio 1 RTP/AVP 0")
        self.assertEqual(short.origin, Origin("x", 5, 0, "IP4", "0.0.0.0"))
        empty = parseSDP(b"o=\r\no=second 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP 0")
        self.assertEqual(empty.origin.username, "-")

    def test_A19b_unknown(self) -> None:
        """
        Unknown attributes and lines are no trouble; attributes are kept.
        """
        body = PROPER + b"a=3gOoBTC\r\na=direction:both\r\nz=7\r\na=\r\njunk\r\n"
        description = parseSDP(body)
        self.assertEqual(description.media[1].attribute("3goobtc"), "")
        self.assertEqual(description.media[1].attribute("direction"), "both")
        self.assertEqual(description.direction(1), "recvonly")
        self.assertEqual(description.warnings, ("not a line of SDP: 'junk'",))

    def test_A19b_unusableMedia(self) -> None:
        """
        A media line that cannot be used keeps its place, because answers go by position:
        it has port 0 and is noted.
        """
        for line in (b"m=", b"m=audio", b"m=audio 5000", b"m=audio x RTP/AVP 0"):
            description = parseSDP(line + b"\r\no=- 1 1 IN IP4 h\r\nm=audio 4000 RTP/AVP 0\r\n")
            self.assertEqual(len(description.media), 2)
            self.assertEqual(len(description.warnings), 1, line)
        for line in (b"m=audio 65536 RTP/AVP 0", b"m=audio -1 RTP/AVP 0", b"m="):
            self.assertEqual(parseSDP(line).media[0].port, 0)
        self.assertEqual(parseSDP(b"m=").media[0].kind, "audio")
        self.assertEqual(parseSDP(b"m=audio 5000 RTP/AVP").media[0].formats, ())
        self.assertEqual(parseSDP(b"m=audio 5000/x RTP/AVP 0").media[0].portCount, 1)

    def test_A19b_secondDescription(self) -> None:
        """
        Of two descriptions in one body the first counts, and that is noted.
        """
        for first in (PROPER, PROPER.replace(b"v=0\r\n", b"")):
            description = parseSDP(first + PROPER)
            self.assertEqual(description, parseSDP(PROPER))
            self.assertIn("second description", description.warnings[0])

    def test_bytesSurvive(self) -> None:
        """
        A label that is not UTF-8, or holds characters that count as line or word ends in
        other grammars, is echoed byte for byte.
        """
        for label in (b"\xe9t\xe9", "a\u0085b\u00a0".encode(), b"x\x0b\x1c\x0cy", "日本".encode()):
            description = parseSDP(PROPER.replace(b"a=label:one", b"a=label:" + label))
            self.assertIn(b"a=label:" + label + b"\r\n", description.serialize())

    def test_warningsEnd(self) -> None:
        """
        A body made of errors does not fill the log.
        """
        description = parseSDP(b"junk\n" * 1000 + b"m=audio 1 RTP/AVP 0")
        self.assertEqual(len(description.warnings), MAX_WARNINGS)

    def test_warningsDoNotCount(self) -> None:
        """
        Two descriptions are the same whatever had to be repaired.
        """
        description = parseSDP(PROPER)
        self.assertEqual(evolve(description, warnings=("x",)), description)


class SecretTests(SynchronousTestCase):
    """
    What is told of a body with keys.
    """

    def test_E8_brokenLines(self) -> None:
        """
        No warning has a piece of a key that was broken over lines.
        """
        body = (
            b"a=crypto:1 AES_CM_128_HMAC_SHA1_80\r\n"
            b" inline:d0RmdmcmVCspeEc3QGZi\r\nNWpVLFJhQX1cfHAwJSoj|2^20\r\n"
        )
        description = parseSDP(PROPER + body)
        self.assertEqual(len(description.warnings), 2)
        self.assertNotIn("d0Rm", str(description.warnings))
        self.assertNotIn("NWpV", str(description.warnings))


class FieldTests(SynchronousTestCase):
    """
    Bodies of real clients, from the public test data.
    """

    def test_real(self) -> None:
        """
        Each description that a real client sent has at least one media line.
        """
        default = Path(__file__).resolve().parents[2].parent / "shared" / "testdata"
        folder = Path(os.environ.get("SIPREC_TESTDATA", default))
        if not folder.is_dir():
            raise SkipTest(f"no public test data in {folder} (set SIPREC_TESTDATA)")
        seen = 0
        for path in sorted(folder.glob("live/**/*INVITE*.sip")) + sorted(folder.glob("dial*/*")):
            for body in re.findall(
                rb"v=0\r?\n.*?(?=\r?\n\r?\n|\r?\n--|\Z)", path.read_bytes(), re.S
            ):
                description = parseSDP(body)
                self.assertEqual(len(description.media), body.count(b"\nm="))
                self.assertEqual(description.warnings, (), path)
                seen += 1
        self.assertGreater(seen, 10)
