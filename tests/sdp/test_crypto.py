"""
Tests for L{siprec.sdp.crypto}.
"""

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.crypto import (
    SUITES,
    BadCrypto,
    CryptoKey,
    chooseCrypto,
    offeredLines,
    ownLines,
    parseCrypto,
    withOwnKeys,
)
from tests.sdp.offers import line

# RFC 4568 section 5.1.2, and the key of section 9.1's example.
KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
SUITE = "AES_CM_128_HMAC_SHA1_80"


def inline(octets: int, more: str = "") -> str:
    """
    @return: key parameters.
    """
    return f"inline:{base64.b64encode(bytes(range(octets))).decode()}{more}"


class ParseTests(SynchronousTestCase):
    """
    L{parseCrypto}.
    """

    def refused(self, value: str) -> str:
        """
        @return: why it is not taken; no key is in that.
        """
        error: BadCrypto = self.assertRaises(BadCrypto, parseCrypto, value)
        self.assertNotIn(KEY[:6], str(error))
        self.assertNotIn(KEY[:6], repr(error))
        self.assertIsNone(error.__cause__)
        return str(error)

    def test_E8_standard(self) -> None:
        """
        The example of RFC 4568, with lifetime and identifier.
        """
        found = parseCrypto(f"1 {SUITE} inline:{KEY}|2^20|1:4")
        self.assertEqual((found.tag, found.suite, found.name), (1, SUITE, SUITE))
        key = CryptoKey(base64.b64decode(KEY), 1 << 20, b"\0\0\0\1")
        self.assertEqual(found.keys, (key,))

    def test_E8_severalKeys(self) -> None:
        """
        Several keys are told apart by identifiers of one length.
        """
        keys = f"inline:{KEY}|1066:4;{inline(30, '|1234|7:4')}"
        found = parseCrypto(f"2 {SUITE} {keys}")
        self.assertEqual([each.mki for each in found.keys], [b"\0\0\x04\x2a", b"\0\0\0\x07"])
        self.assertEqual([each.lifetime for each in found.keys], [None, 1234])
        for keys in (f"inline:{KEY};inline:{KEY}", f"inline:{KEY}|1:4;inline:{KEY}|1:2"):
            self.assertIn("several keys", self.refused(f"1 {SUITE} {keys}"))

    def test_E8_suites(self) -> None:
        """
        Each suite has keys of its length; names of drafts are known, and any case.
        """
        for suite, octets in SUITES.items():
            self.assertEqual(parseCrypto(f"1 {suite} {inline(octets)}").suite, suite)
            self.assertIn("wrong length", self.refused(f"1 {suite} {inline(octets - 1)}"))
        found = parseCrypto(f"1 AES_CM_256_HMAC_SHA1_80 {inline(46)}")
        self.assertEqual(found.suite, "AES_256_CM_HMAC_SHA1_80")
        self.assertEqual(found.name, "AES_CM_256_HMAC_SHA1_80")
        self.assertEqual(parseCrypto(f"1 {SUITE.lower()} {inline(30)}").suite, SUITE)

    def test_noPadding(self) -> None:
        """
        Padding that is left out is no harm.
        """
        found = parseCrypto(f"1 AEAD_AES_256_GCM {inline(44)}".rstrip("="))
        self.assertEqual(found.keys[0].key, bytes(range(44)))

    def test_E8_sessionParameters(self) -> None:
        """
        What may be ignored is; what would change the packets makes the line useless
        (RFC 4568 section 6.3).
        """
        for parameter in ("WSH=128", "-ANY=1", "KDR=0", "FEC_ORDER=FEC_SRTP"):
            parseCrypto(f"1 {SUITE} inline:{KEY} {parameter}")
        for parameter in (
            *("UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "KDR=3", "NEW"),
            *("FEC_ORDER=SRTP_FEC", f"FEC_KEY=inline:{KEY}", f"{KEY}"),
        ):
            why = self.refused(f"1 {SUITE} inline:{KEY} WSH=64 {parameter}")
            self.assertIn("is not supported", why)

    def test_E8_malformed(self) -> None:
        """
        What cannot be read is refused, whatever it is.
        """
        for value in (
            *("", "1", f"1 {SUITE}", f"x {SUITE} inline:{KEY}", f"1234567890 {SUITE} inline:{KEY}"),
            *(f"1 {SUITE} uri:{KEY}", f"1 {SUITE} inline:{KEY[:-1]}%", f"1 {SUITE} inline:"),
            *(f"1 {SUITE} inline:{KEY}{each}" for each in ("|", "|0", "|2^49", "|2^x", "|9:0")),
            *(f"1 {SUITE} inline:{KEY}{each}" for each in ("|256:1", "|1:129", "|1:4|x", "|x:4")),
            f"1 {SUITE} inline:{KEY};",
        ):
            self.refused(value)

    def test_E8_secret(self) -> None:
        """
        Keys are not in the text of what is read.
        """
        found = parseCrypto(f"1 {SUITE} inline:{KEY}").withLocal(b"secret" * 5)
        self.assertNotIn("secret", repr(found))
        self.assertNotIn(repr(base64.b64decode(KEY))[2:12], repr(found))

    @given(st.text(max_size=200))
    def test_anything(self, value: str) -> None:
        """
        Anything is read or refused.
        """
        for text in (value, f"1 {SUITE} {value}", f"1 {SUITE} inline:{KEY}|{value}"):
            try:
                parseCrypto(text)
            except BadCrypto:
                continue

    @given(st.sampled_from(sorted(SUITES)), st.integers(0, 10**9 - 1), st.data())
    def test_ownAreRead(self, suite: str, tag: int, data: st.DataObject) -> None:
        """
        What we write is read as it was.
        """
        key = data.draw(st.binary(min_size=SUITES[suite], max_size=SUITES[suite]))
        [empty] = offeredLines([suite])
        found = parseCrypto(empty.withLocal(key).value.replace("1 ", f"{tag} ", 1))
        self.assertEqual((found.tag, found.suite, found.keys), (tag, suite, (CryptoKey(key),)))


class ChooseTests(SynchronousTestCase):
    """
    L{chooseCrypto}.
    """

    def test_E8_first(self) -> None:
        """
        The first that can be used is taken.
        """
        media = line(
            f"crypto:1 {SUITE} inline:{KEY} UNENCRYPTED_SRTP",
            f"CRYPTO:2 AEAD_AES_128_GCM {inline(28)}",
            f"crypto:3 {SUITE} inline:{KEY}",
        )
        found, why = chooseCrypto(media, tuple(SUITES))
        assert found is not None
        self.assertEqual((found.tag, why), (2, ""))
        found, _ = chooseCrypto(media, (SUITE,))
        assert found is not None
        self.assertEqual(found.tag, 3)

    def test_none(self) -> None:
        """
        If there is none, it is said why the last was not taken.
        """
        self.assertEqual(chooseCrypto(line(), (SUITE,)), (None, "no a=crypto"))
        media = line(f"crypto:1 {SUITE} inline:{KEY}", "crypto")
        self.assertEqual(chooseCrypto(media, (SUITE,))[1], "")
        self.assertEqual(chooseCrypto(line("crypto"), (SUITE,)), (None, "too short"))

    def test_bounded(self) -> None:
        """
        Of very many lines only the first are looked at.
        """
        media = line(*["crypto:1 X Y"] * 40, f"crypto:1 {SUITE} inline:{KEY}")
        self.assertIsNone(chooseCrypto(media, (SUITE,))[0])


class OwnTests(SynchronousTestCase):
    """
    Keys of our own.
    """

    def test_E8_new(self) -> None:
        """
        Each line of each stream gets a key of its own.
        """
        lines = offeredLines(SUITES)
        keys = [each.local for _ in range(2) for each in withOwnKeys(lines, None)]
        self.assertEqual(len(set(keys)), 2 * len(SUITES))
        self.assertEqual([len(each) for each in keys[: len(SUITES)]], list(SUITES.values()))

    def test_E8_same(self) -> None:
        """
        A key that was said stays, as long as the suite does.
        """
        first = withOwnKeys(offeredLines([SUITE]), None)
        before = line(f"crypto:{first[0].value}")
        self.assertEqual(withOwnKeys(offeredLines([SUITE]), before), first)
        self.assertEqual(ownLines(before), first)
        other = withOwnKeys(offeredLines(["AES_CM_128_HMAC_SHA1_32"]), before)
        self.assertNotEqual(other[0].local, first[0].local)
