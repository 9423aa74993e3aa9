"""
Tests of L{siprec.sip.auth}.
"""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.auth import Authenticated, Authenticator, Challenge, Elsewhere
from siprec.sip.message import Request
from siprec.sip.nonces import Nonces, Replays
from tests.sip.credentials import challengeParams, ha1Of, withCredentials
from tests.sip.traffic import request

_USERS = {
    (user, "siprec", algorithm): ha1Of(algorithm, user, password)
    for user, password in (("ann", "secret"), ("bob", "hidden"))
    for algorithm in ("SHA-512-256", "SHA-256", "MD5")
}


class AuthenticatorTests(SynchronousTestCase):
    """
    Challenges and the answers to them.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.auth = self.make()
        self.first = request()

    def make(self) -> Authenticator:
        """
        @return: an authenticator of one node; all have the same key.
        """
        nonces = Nonces(b"key", self.clock.seconds)
        replays = Replays(300, self.clock.seconds)
        return Authenticator(nonces, replays, "siprec", ("SHA-256", "MD5", "SHA-512-256"), _USERS)

    def challenge(self, request: Request, why: str = "noCredentials") -> list[str]:
        """
        @return: the challenges that the request gets, for this reason.
        """
        found = self.auth.check(request)
        assert isinstance(found, Challenge), found
        self.assertEqual(found.why, why)
        self.assertTrue(all(name == "WWW-Authenticate" for name, _ in found.headers))
        return [value for _, value in found.headers]

    def test_D4_digest_order(self) -> None:
        """
        The challenges differ in the algorithm alone, the best comes first
        (RFC 8760 section 2.3), and each has qop (RFC 8760 section 2.6).
        """
        given = [challengeParams(each) for each in self.challenge(self.first)]
        self.assertEqual([each["algorithm"] for each in given], ["SHA-512-256", "SHA-256", "MD5"])
        self.assertEqual({each["qop"] for each in given}, {"auth"})
        self.assertEqual(len({each["nonce"] for each in given}), 1)
        self.assertTrue(all("stale" not in each for each in given))

    def test_D4_digest_algorithms(self) -> None:
        """
        With each of them a peer gets in; with one that is not offered it does
        not, whatever the file has.
        """
        for index in range(3):
            value = self.challenge(self.first)[index]
            found = self.auth.check(withCredentials(self.first, value))
            self.assertEqual(found, Authenticated("ann"))
        last = withCredentials(self.first, value, count=2)
        self.auth.algorithms = ("SHA-256",)
        self.assertEqual(len(self.challenge(last, "wrongCredentials")), 1)
        odd = last.headers.get("Authorization") or ""
        headers = last.headers.replacing("Authorization", odd.replace("=MD5", "=SHA-1"))
        self.challenge(evolve(last, headers=headers), "wrongCredentials")

    def test_D4_digest_wrong(self) -> None:
        """
        A wrong password, an unknown user, another method or another URI: none
        gets in, and none is told which it was.
        """
        [value, *_] = self.challenge(self.first)
        other = request("OPTIONS")
        moved = withCredentials(self.first, value)
        for wrong in (
            withCredentials(self.first, value, password="guess"),
            withCredentials(self.first, value, user="zoe"),
            evolve(other, headers=moved.headers),
            evolve(moved, uri="sip:else@192.0.2.9"),
            evolve(moved, uri="tel:+49"),
            evolve(moved, uri="%"),
        ):
            for again in self.challenge(wrong, "wrongCredentials"):
                self.assertNotIn("stale", again)

    def test_equalURI(self) -> None:
        """
        The URI may be written in another way (RFC 7616 section 3.4.6).
        """
        [value, *_] = self.challenge(self.first)
        asked = evolve(self.first, uri="sip:srs@EXAMPLE.com")
        same = evolve(withCredentials(asked, value), uri="sip:%73rs@example.com")
        self.assertEqual(self.auth.check(same), Authenticated("ann"))

    def test_D4_digest_replay(self) -> None:
        """
        The same credentials are good once; with the next count again.
        """
        [value, *_] = self.challenge(self.first)
        once = withCredentials(self.first, value)
        self.assertEqual(self.auth.check(once), Authenticated("ann"))
        again = self.challenge(once, "replayedNonce")
        self.assertIn("stale=true", again[0])
        self.assertEqual(
            self.auth.check(withCredentials(self.first, value, count=2)), Authenticated("ann")
        )

    def test_copyInDialog(self) -> None:
        """
        A copy of a request in a dialog is let in again, as it may be one that
        another node answers; another request with its credentials is not.
        """
        bye = request("BYE", toTag="t")
        [value, *_] = self.challenge(bye)
        sent = withCredentials(bye, value)
        for _ in range(2):
            self.assertEqual(self.auth.check(sent), Authenticated("ann"))
        headers = sent.headers.replacing("Call-ID", "another")
        self.challenge(evolve(sent, headers=headers), "replayedNonce")

    def test_D4_digest_stale(self) -> None:
        """
        Who answers rightly to a nonce that is too old, or of another key, is
        told that only the nonce is bad.
        """
        [value, *_] = self.challenge(self.first)
        self.clock.advance(301)
        for again in self.challenge(withCredentials(self.first, value), "staleNonce"):
            self.assertIn("stale=true", again)
        [value, *_] = self.challenge(self.first)
        self.auth.nonces.key = b"another"
        self.challenge(withCredentials(self.first, value), "staleNonce")

    def test_everyNode(self) -> None:
        """
        What one node asks can be answered at another, if the first knows that
        it is no replay; a wrong answer is one at every node.
        """
        [value, *_] = self.challenge(self.first)
        other = self.make()
        other.nonces.issuer = b"another "
        found = other.check(withCredentials(self.first, value))
        assert isinstance(found, Elsewhere), found
        self.assertEqual((found.user, found.issuer), ("ann", self.auth.nonces.issuer))
        self.assertTrue(self.auth.use(found.nonce, found.count, found.purpose))
        self.assertFalse(other.use(found.nonce, found.count, found.purpose))
        self.challenge(withCredentials(self.first, value), "replayedNonce")
        wrong = other.check(withCredentials(self.first, value, password="guess"))
        assert isinstance(wrong, Challenge), wrong
        self.assertEqual(wrong.why, "wrongCredentials")

    def test_otherRealm(self) -> None:
        """
        Credentials for somebody else's realm are passed over.
        """
        [value, *_] = self.challenge(self.first)
        foreign = withCredentials(self.first, value.replace('realm="siprec"', 'realm="x"'))
        self.challenge(foreign)
        ours = withCredentials(self.first, value).headers.get("Authorization") or ""
        headers = foreign.headers.adding("Authorization", ours)
        self.assertEqual(self.auth.check(evolve(foreign, headers=headers)), Authenticated("ann"))

    @given(st.text(st.characters(exclude_characters="\r\n")))
    def test_garbage(self, text: str) -> None:
        """
        Whatever stands in the header, it only leads to a challenge.
        """
        headers = self.first.headers.replacing("Authorization", f"Digest {text}")
        self.assertIsInstance(self.auth.check(evolve(self.first, headers=headers)), Challenge)
