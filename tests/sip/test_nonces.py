"""
Tests of L{siprec.sip.nonces}.
"""

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.nonces import Nonces, Replays, issuerOf


class NoncesTests(SynchronousTestCase):
    """
    A nonce says itself when it was made, and by whom.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.nonces = Nonces(b"key", self.clock.seconds)

    def test_age(self) -> None:
        """
        Its age is known without any memory, and at each node with the same key.
        """
        nonce = self.nonces.make()
        self.clock.advance(7)
        self.assertEqual(Nonces(b"key", self.clock.seconds).age(nonce), 7)
        self.assertIsNone(Nonces(b"other", self.clock.seconds).age(nonce))

    def test_issuer(self) -> None:
        """
        It says which life of which node made it.
        """
        ours = Nonces(b"key", self.clock.seconds, issuerOf("a life"))
        self.assertEqual(self.nonces.madeBy(ours.make()), issuerOf("a life"))
        self.assertNotEqual(issuerOf("a life"), issuerOf("another"))
        self.assertEqual(self.nonces.age(ours.make()), 0)

    def test_unique(self) -> None:
        """
        No two are the same, even of one moment.
        """
        self.assertEqual(len({self.nonces.make() for _ in range(100)}), 100)

    def test_forged(self) -> None:
        """
        Whoever changes one bit of it has no nonce any more.
        """
        data = bytearray(base64.urlsafe_b64decode(self.nonces.make()))
        for index in range(len(data)):
            data[index] ^= 1
            forged = base64.urlsafe_b64encode(data).decode()
            self.assertIsNone(self.nonces.age(forged), index)
            data[index] ^= 1
        for text in ("", "x", "%%%", "\u00e4", base64.b64encode(bytes(32)).decode()):
            self.assertIsNone(self.nonces.age(text))

    def test_clocks(self) -> None:
        """
        The clock of the node that made it may be a little ahead, not more.
        """
        nonce = self.nonces.make()
        behind = Clock()
        behind.advance(self.clock.seconds() - 10)
        self.assertEqual(Nonces(b"key", behind.seconds).age(nonce), 0)
        self.assertIsNone(Nonces(b"key", lambda: self.clock.seconds() - 31).age(nonce))

    @given(st.text())
    def test_garbage(self, text: str) -> None:
        """
        Nothing that a peer sends for a nonce raises.
        """
        self.assertIsNone(self.nonces.age(text))


class ReplaysTests(SynchronousTestCase):
    """
    A count of a nonce is good once.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.replays = Replays(300, self.clock.seconds, 3)

    def test_counts(self) -> None:
        """
        Each count can be used once, in any order within a window.
        """
        use = self.replays.use
        self.assertEqual([use("n", 0, count) for count in (1, 1, 3, 2, 2)], [1, 0, 1, 1, 0])
        self.assertTrue(use("n", 0, 100))
        self.assertFalse(use("n", 0, 36))
        self.assertTrue(use("n", 0, 37))
        self.assertFalse(use("n", 0, 3))
        self.assertFalse(use("new", 0, 0))

    def test_window(self) -> None:
        """
        However many counts are used, few are remembered, and none is good
        twice.
        """
        for count in range(1, 1000):
            self.assertTrue(self.replays.use("n", 0, count))
        self.assertFalse(any(self.replays.use("n", 0, count) for count in range(1, 1000)))

    def test_purpose(self) -> None:
        """
        For the same purpose a count is good again.
        """
        self.assertTrue(self.replays.use("n", 0, 1, 7))
        self.assertTrue(self.replays.use("n", 0, 1, 7))
        self.assertFalse(self.replays.use("n", 0, 1, 8))
        self.assertFalse(self.replays.use("n", 0, 1))

    def test_old(self) -> None:
        """
        A nonce beyond its lifetime is not good; one is forgotten after it.
        """
        self.assertFalse(self.replays.use("n", 301, 1))
        self.assertTrue(self.replays.use("o", 0, 1))
        self.clock.advance(400)
        self.assertTrue(self.replays.use("p", 0, 1))
        self.assertFalse(self.replays.use("o", 400, 2))

    def test_bounded(self) -> None:
        """
        If there are too many nonces, the oldest is forgotten, and with it every
        older one is not good any more: what is forgotten cannot be replayed.
        """
        for number, nonce in enumerate("abcd"):
            self.assertTrue(self.replays.use(nonce, 0, 1))
            self.clock.advance(number + 1)
        self.assertFalse(self.replays.use("a", 10, 1))
        self.assertFalse(self.replays.use("z", 11, 1))
        self.assertTrue(self.replays.use("y", 5, 1))
