"""
Tests of L{siprec.trace.masking}.
"""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.trace.masking import masked
from tests.sip.vectors import PROPERTY

_START = b"INVITE sip:srs@192.0.2.9 SIP/2.0\r\n"


class MaskingTests(SynchronousTestCase):
    """
    Secrets, and what is none.
    """

    def check(self, given: bytes, expected: bytes, body: bool = False) -> None:
        """
        Assert what becomes of a line of the head, or of the body.
        """
        begin = _START + (b"\r\n" if body else b"")
        for end in (b"\r\n", b"\n", b""):
            found = masked(begin + given + end)
            self.assertEqual(found, begin + expected + end)

    def test_nothing(self) -> None:
        """
        What has no secret stays as it is.
        """
        for data in (
            b"",
            _START + b"From: <sip:src@192.0.2.7:5060>;tag=x@y\r\nExpires: 1\r\n\r\n",
            _START + b"\r\nv=0\r\na=rtpmap:0 PCMU/8000\r\na=fingerprint:sha-256 AA:BB\r\n",
            _START + b'WWW-Authenticate: Digest realm="a", nonce="b"\r\n\r\n',
        ):
            self.assertEqual(masked(data), data)

    def test_digest(self) -> None:
        """
        Of digest credentials, what proves the password is masked, and all that
        is not known to be harmless.
        """
        self.check(
            b'Authorization: Digest username="ann", realm="r", nonce="n", uri="sip:a@b",'
            b' response="0a1b", cnonce=xy , qop=auth, nc=00000001, auts="q\\",r"',
            b'Authorization: Digest username="ann", realm="r", nonce="n", uri="sip:a@b",'
            b' response="****", cnonce=** , qop=auth, nc=00000001, auts="**"**"',
        )

    def test_digestForms(self) -> None:
        """
        In whatever case, with a blank before the colon, in the next line, without its
        parameters' names, and in answers.
        """
        for line, expected in (
            (b"proxy-AUTHORIZATION :DIGEST RESPONSE=a", b"proxy-AUTHORIZATION :DIGEST RESPONSE=*"),
            (
                b"Authorization:\r\n Digest\r\n\tresponse=a",
                b"Authorization:\r\n Digest\r\n\tresponse=*",
            ),
            (b"Authorization: Digest a secret", b"Authorization: Digest * ******"),
            (b'Authorization: Digest "0a1b"', b"Authorization: Digest ******"),
            (b"  Authorization: Digest response=a", b"  Authorization: Digest response=*"),
            (
                b'Authentication-Info: nextnonce="n", rspauth="0a", cnonce="b"',
                b'Authentication-Info: nextnonce="n", rspauth="**", cnonce="*"',
            ),
        ):
            self.check(line, expected)

    def test_otherSchemes(self) -> None:
        """
        Of all other credentials no more than the scheme is left.
        """
        for line, expected in (
            (b"Authorization: Basic YW5uOng=", b"Authorization: Basic ********"),
            (b"Proxy-Authorization: Bearer a.b-c", b"Proxy-Authorization: Bearer *****"),
            (b"Authorization: secret", b"Authorization: ******"),
            (b"Authorization:", b"Authorization:"),
            (b"Authorization: Basic\r a b", b"Authorization: *****\r * *"),
        ):
            self.check(line, expected)

    def test_crypto(self) -> None:
        """
        The keys of SDES are masked, not what is beside them; a line without a
        key in its place, wholly.
        """
        self.check(
            b"a=crypto:1 AES_CM_128 inline:WVNf+/Q=|2^20|1:4;inline:ab FEC_KEY=inline:c",
            b"a=crypto:1 AES_CM_128 inline:********|2^20|1:4;inline:** FEC_KEY=inline:*",
            body=True,
        )
        self.check(b" A=CRYPTO : 1 x INLINE:ab", b" A=CRYPTO : 1 x INLINE:**", body=True)
        self.check(b"a=crypto:1 x abc", b"a=crypto:* * ***", body=True)

    def test_keyLines(self) -> None:
        """
        So are other keys in descriptions.
        """
        for line, expected in (
            (b"k=base64:abc", b"k=base64:***"),
            (b"k=clear:a b", b"k=clear:* *"),
            (b"k=abc", b"k=***"),
            (b"a=key-mgmt:mikey AQAF+", b"a=key-mgmt:***** *****"),
            (b"a=key-mgmt:AQAF", b"a=key-mgmt:****"),
            (b"a=ice-pwd:asd88", b"a=ice-pwd:*****"),
        ):
            self.check(line, expected, body=True)

    def test_passwords(self) -> None:
        """
        A password in a URI is masked wherever it stands; a port is none.
        """
        self.check(
            b"Contact: <sip:ann:pw1@192.0.2.7:5060>, <SIPS:bob:p@b>, <sip:192.0.2.8:5060>",
            b"Contact: <sip:ann:***@192.0.2.7:5060>, <SIPS:bob:*@b>, <sip:192.0.2.8:5060>",
        )

    def test_encoded(self) -> None:
        """
        What is encoded or compressed cannot be searched, so that all of it is
        masked; of base64 that ends with its part.
        """
        multipart = (
            b"Content-Type: multipart/mixed;boundary=b\r\n\r\n"
            b"--b\r\n%s\r\n\r\nYT1r\r\nYQ==\r\n--b\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\nplain\r\n--b--"
        )
        for header, left in (
            (b"Content-Transfer-Encoding: BASE64", True),
            (b"content-transfer-encoding:\r\n base64", True),
            (b"Content-Transfer-Encoding: quoted-printable", False),
            (b"Content-Encoding: gzip", False),
            (b"e: gzip", False),
        ):
            data = _START + multipart % header
            found = masked(data)
            self.assertNotIn(b"YT1r", found)
            self.assertIn(b"****\r\n****\r\n", found)
            self.assertEqual(b"plain" in found, left)
            self.assertEqual(len(found), len(data))
        for header in (b"Content-Transfer-Encoding: 7bit", b"Content-Encoding: identity"):
            self.assertEqual(masked(_START + multipart % header), _START + multipart % header)
        self.assertEqual(masked(b"a: b\r\ne: gzip\r\nabc"), b"a: b\r\ne: g***\r\n***")

    @PROPERTY
    @given(
        st.lists(
            st.sampled_from(
                [
                    b"Authorization:",
                    b"Digest ",
                    b'"',
                    b"response=",
                    b"\r\n",
                    b" ",
                    b"a=crypto:",
                    b"inline:",
                    b"k=",
                    b"sip:",
                    b"@",
                    b":",
                    b"content-encoding: x",
                    b"\r\n\r\n",
                    b"--",
                    b"\xff",
                    b"s3cret",
                ]
            )
        )
    )
    def test_length(self, pieces: list[bytes]) -> None:
        """
        Whatever comes, its length and its lines stay; masking twice changes no more.
        """
        data = b"".join(pieces)
        found = masked(data)
        self.assertEqual(len(found), len(data))
        places = [place for place, octet in enumerate(data) if octet in b"\r\n"]
        self.assertEqual([p for p, octet in enumerate(found) if octet in b"\r\n"], places)

    def test_linear(self) -> None:
        """
        No message costs time in proportion to the square of its length.
        """
        for begin, piece in (
            (b"Authorization: Digest ", b"a"),
            (b"Authorization: Digest ", b'a="'),
            (b"Authorization: ", b"\r\n "),
            (b"a=crypto:", b"a-:"),
            (b"", b"sip:a:b@"),
            (b"", b"sip:"),
            (b"", b"e: x\r\n\r\n"),
            (b"", b"Content-Transfer-Encoding: base64\r\n\r\n--a\r\n"),
        ):
            data = begin + piece * (200_000 // len(piece))
            start = process_time()
            masked(data)
            self.assertLess(process_time() - start, 5.0, begin + piece)
