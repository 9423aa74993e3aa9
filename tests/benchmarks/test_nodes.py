"""
Tests of L{benchmarks.nodes}.
"""

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.nodes import cpuSeconds


class ProcessorTimeTests(SynchronousTestCase):
    """
    The CPU time of a process.
    """

    def test_own(self) -> None:
        """
        It is that of all threads of the process, and fine enough for a short round.
        """
        before = time.process_time()
        found = cpuSeconds(os.getpid())
        self.assertTrue(before <= found <= time.process_time())

    def test_gone(self) -> None:
        """
        A process that is gone, as no process has the largest number, has none.
        """
        self.assertEqual(cpuSeconds(2**22), 0.0)


__all__ = ["ProcessorTimeTests"]
