"""
Tests of L{siprec.media.arena}.
"""

import errno

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.arena import HEADROOM, Arena, enlarge


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

    def test_alignment(self) -> None:
        """
        The slots begin where a large page does.
        """
        self.assertEqual(Arena(4, 64, 16).memory.ctypes.data % (2 << 20), 0)

    def test_noLargePages(self) -> None:
        """
        A kernel that has no large pages is of no matter.
        """
        asked: list[tuple[int, int]] = []

        class Small:
            """
            Memory of such a kernel.
            """

            def madvise(self, option: int, start: int, length: int) -> None:
                """
                See L{Pages}.
                """
                asked.append((start, length))
                raise OSError(errno.EINVAL, "no large pages")

        enlarge(Small(), 4096, 2 << 20, 8192)
        self.assertEqual(asked, [(4096, 2 << 20)])
