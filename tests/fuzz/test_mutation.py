"""
Tests for L{tests.fuzz.mutation}.
"""

import random

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.mutation import LONGEST, Mutator, corpus
from tests.fuzz.parsers import PARSERS


class MutatorTests(SynchronousTestCase):
    """
    L{Mutator}.
    """

    def test_seeded(self) -> None:
        """
        The same seed gives the same inputs, another one others.
        """

        def some(seed: int) -> list[bytes]:
            mutator = Mutator(random.Random(seed), [b"one", b"two"])
            return [mutator.next() for _ in range(50)]

        self.assertEqual(some(1), some(1))
        self.assertNotEqual(some(1), some(2))

    def test_bounded(self) -> None:
        """
        No input is longer than the limit.
        """
        mutator = Mutator(random.Random(1), [b"x" * LONGEST])
        self.assertEqual(max(len(mutator.next()) for _ in range(200)), LONGEST)

    def test_corpus(self) -> None:
        """
        Each parser has something to begin with.
        """
        for name in PARSERS:
            self.assertTrue(corpus(name), name)
