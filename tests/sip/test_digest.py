"""
Tests of L{siprec.sip.digest}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.digest import (
    BadDigestFile,
    Credentials,
    challenge,
    hashed,
    parseCredentials,
    parseUsers,
)
from siprec.sip.errors import BadHeader

# RFC 7616 section 3.9.1.
_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
_EXAMPLE = (
    f'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",\r\n'
    f' algorithm=MD5, nonce="{_NONCE}", nc=00000001, cnonce="{_CNONCE}", qop=auth, '
    'response="8ca523f5e9506fed4657c9700eebdbec", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
_HA1 = "Mufasa:http-auth@example.org:Circle of Life"


class CredentialsTests(SynchronousTestCase):
    """
    The Authorization header.
    """

    def bad(self, text: str) -> str:
        """
        @return: what is wrong with it.
        """
        error: BadHeader = self.assertRaises(BadHeader, parseCredentials, text)
        return str(error)

    def test_example(self) -> None:
        """
        The example of RFC 7616 is read and comes out as printed there, with
        MD5 and with SHA-256.
        """
        found = parseCredentials(_EXAMPLE)
        self.assertEqual((found.user, found.count, found.algorithm), ("Mufasa", 1, "MD5"))
        self.assertEqual(found.expected(hashed("MD5", _HA1), "GET"), found.response)
        strong = parseCredentials(_EXAMPLE.replace("=MD5", "=SHA-256"))
        self.assertEqual(
            strong.expected(hashed("SHA-256", _HA1), "GET"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        )

    def test_hashes(self) -> None:
        """
        Each algorithm has the hash that the others know it by (FIPS 180-4).
        """
        self.assertEqual(hashed("MD5", "abc"), "900150983cd24fb0d6963f7d28e17f72")
        self.assertTrue(hashed("SHA-256", "abc").startswith("ba7816bf8f01cfea"))
        self.assertTrue(hashed("SHA-512-256", "abc").startswith("53048e2681941ef9"))

    def test_spellings(self) -> None:
        """
        Case, quotes and blanks are as free as the grammar is; without an
        algorithm it is MD5.
        """
        found = parseCredentials(
            'digest  USERNAME = "a\\"b", realm="r,=", nonce=n, uri="sip:x", response="AB", '
            'cnonce="c", nc=0000000A, qop="auth"'
        )
        expected = Credentials('a"b', "r,=", "n", "sip:x", "ab", "c", "0000000A", "MD5")
        self.assertEqual((found, found.count), (expected, 10))

    def test_missing(self) -> None:
        """
        Each part is needed.
        """
        for name in ("username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop"):
            self.assertIn(f"no {name}", self.bad(_EXAMPLE.replace(f"{name}=", f"x{name}=", 1)))

    def test_bad(self) -> None:
        """
        Other schemes, doubled parameters, another qop and no counts are
        refused.
        """
        self.bad("")
        self.bad("Basic YWxhZGRpbjpvcGVuc2VzYW1l")
        self.bad("Digest")
        self.bad(_EXAMPLE + ", realm=x")
        self.bad(_EXAMPLE + ", alone")
        self.bad(_EXAMPLE.replace("qop=auth", "qop=auth-int"))
        for count in ("1", "0000000g", "000000001", "-0000001"):
            self.bad(_EXAMPLE.replace("nc=00000001", f"nc={count}"))

    def test_challenge(self) -> None:
        """
        A challenge quotes what must be quoted (RFC 7616 section 3.3).
        """
        self.assertEqual(
            challenge("r", "n", "SHA-256", False),
            'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256',
        )
        self.assertTrue(challenge("r", "n", "MD5", True).endswith(", stale=true"))


class UsersTests(SynchronousTestCase):
    """
    The file of users.
    """

    def bad(self, text: str) -> BadDigestFile:
        """
        @return: the error.
        """
        error: BadDigestFile = self.assertRaises(BadDigestFile, parseUsers, text)
        return error

    def test_lines(self) -> None:
        """
        One user a line; empty lines and comments count for nothing.
        """
        md5, sha = hashed("MD5", "x"), hashed("SHA-256", "x")
        text = f"# users\n\nann:siprec:md5:{md5.upper()}\n ann:siprec:SHA-256:{sha}\n"
        self.assertEqual(
            parseUsers(text), {("ann", "siprec", "MD5"): md5, ("ann", "siprec", "SHA-256"): sha}
        )
        self.assertEqual(parseUsers(""), {})

    def test_bad(self) -> None:
        """
        An error names the line, and shows nothing of it.
        """
        good = f"ann:siprec:MD5:{hashed('MD5', 'x')}"
        for line in (
            "ann:siprec:secret",
            ":siprec:MD5:" + hashed("MD5", "x"),
            "ann:siprec:SHA-1:secret",
            "ann:siprec:MD5:secret",
            "ann:siprec:SHA-256:" + hashed("MD5", "x"),
            good,
        ):
            error = self.bad(f"{good}\n{line}\n")
            self.assertEqual(error.line, 2)
            self.assertTrue(str(error).startswith("line 2: "))
            self.assertNotIn("secret", str(error))
