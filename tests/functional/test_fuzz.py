"""
The fuzzer with several processes.
"""

from __future__ import annotations

import sys

from twisted.trial.unittest import TestCase

from tests.functional.node import Program


class FuzzTests(TestCase):
    """
    C{python -m tests.fuzz}.
    """

    async def test_processes(self) -> None:
        """
        The inputs are divided among the processes, and all are counted.
        """
        options = ("--inputs", "30", "--jobs", "2", "uri", "stun")
        program = Program.start(sys.executable, "-m", "tests.fuzz", *options)
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(60), 0, program.output)
        self.assertIn("uri: 35 inputs, ", program.output)
        self.assertIn("67 inputs with seed 0 in ", program.output)
