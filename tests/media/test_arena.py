"""
Tests of L{siprec.media.arena}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.arena import HEADROOM, Arena


class ArenaTests(SynchronousTestCase):
    """
    L{Arena}.
    """

    def test_vectors(self) -> None:
        """
        Each slot has its headroom, and its overflow lies behind all slots.
        """
        arena = Arena(4, 64, 16)
        base, vectors = arena.memory.ctypes.data, arena.iovecs()
        stride = HEADROOM + 64
        self.assertEqual((vectors["base"][1, 0] - base), stride + HEADROOM)
        self.assertEqual((vectors["base"][1, 1] - base), 4 * stride + 16)
        self.assertEqual(vectors["length"].tolist(), [[64, 16]] * 4)
        self.assertGreaterEqual(len(arena.memory), 4 * (stride + 16))
