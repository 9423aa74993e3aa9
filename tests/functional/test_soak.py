"""
A few hundred calls leave nothing behind; C{make soak} is the long version.
"""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import TestCase

from tests.functional.node import Program

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class SoakTests(TestCase):
    """
    The short version.
    """

    timeout = 400.0

    async def test_short(self) -> None:
        """
        Memory, descriptors, threads and keys in the store are as before, no error was
        unforeseen, and each of 300 calls has its complete recording.
        """
        program = Program.start(
            *("/usr/bin/env", f"PYTHONPATH={_ROOT}", sys.executable),
            *(os.path.join(_ROOT, "benchmarks", "soak.py"), "--calls", "300", "--rate", "10"),
            *("--hold", "3", "--quiet", "5", "--patience", "100"),
        )
        self.addCleanup(program.kill)
        status = await program.ended(380)
        self.assertEqual(status, 0, program.output)


__all__ = ["SoakTests"]
