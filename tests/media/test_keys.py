"""
Tests of L{siprec.media.keys}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.keys import OVERLAP, MasterKey, withFormer

ONE, TWO = (MasterKey("AES_CM_128_HMAC_SHA1_80", bytes([each]) * 30) for each in (1, 2))
NOW = 1000.0


class KeyTests(SynchronousTestCase):
    """
    L{MasterKey}.
    """

    def test_E8_secret(self) -> None:
        """
        A key is not in the text of it.
        """
        key = MasterKey("AES_CM_128_HMAC_SHA1_80", b"secret" * 5)
        self.assertNotIn("secret", repr(key) + str(key))

    def test_same(self) -> None:
        """
        Keys are the same whenever they end, but not with another identifier.
        """
        self.assertTrue(ONE.sameAs(evolve(ONE, until=5.0)))
        self.assertFalse(ONE.sameAs(evolve(ONE, mki=b"1")))
        self.assertFalse(ONE.sameAs(TWO))


class FormerTests(SynchronousTestCase):
    """
    L{withFormer}.
    """

    def test_E8_rekeyed(self) -> None:
        """
        The key before is good for a while more, behind the new one.
        """
        found = withFormer((ONE,), (TWO,), NOW)
        self.assertEqual(found, (TWO, evolve(ONE, until=NOW + OVERLAP)))
        # That time is not made longer by what comes then.
        self.assertEqual(withFormer(found, (TWO,), NOW + 1), found)
        self.assertEqual(withFormer(found, (TWO,), NOW + OVERLAP), (TWO,))

    def test_E8_back(self) -> None:
        """
        A key that is used again is in force again.
        """
        found = withFormer(withFormer((ONE,), (TWO,), NOW), (ONE,), NOW + 1)
        self.assertEqual(found, (ONE, evolve(TWO, until=NOW + 1 + OVERLAP)))

    def test_E8_unchanged(self) -> None:
        """
        The same keys stay as they are.
        """
        self.assertEqual(withFormer((ONE,), (ONE,), NOW), (ONE,))

    def test_E8_clear(self) -> None:
        """
        In the clear there are no keys; where there were none before, none is former.
        """
        self.assertIsNone(withFormer((ONE,), None, NOW))
        self.assertEqual(withFormer(None, (ONE,), NOW), (ONE,))

    def test_bounded(self) -> None:
        """
        However often a peer changes its key, few are kept.
        """
        keys: tuple[MasterKey, ...] | None = ()
        for number in range(50):
            keys = withFormer(keys, (MasterKey("x", bytes([number])),), NOW)
        assert keys is not None
        self.assertEqual([each.key[0] for each in keys], [49, 48, 47, 46, 45])
