"""
The programs of the documentation are run as they stand there.
"""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import TestCase

from tests.functional.node import Program
from tests.functional.redisserver import startServer

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class OneStoreTests(TestCase):
    """
    C{docs/examples/onestore.py}, and what C{docs/embedding.rst} says that it
    prints.
    """

    async def run_(self, url: str) -> None:
        """
        Run it over a store.
        """
        path = os.path.join(_ROOT, "docs", "examples", "onestore.py")
        program = Program.start(sys.executable, path, url, cwd=_ROOT)
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(), 0, program.output)
        with open(os.path.join(_ROOT, "docs", "embedding.rst")) as file:
            page = file.read()
        printed = page.partition("It prints::\n\n")[2].partition("\n\nA store")[0]
        wanted = [line.strip() for line in printed.splitlines()]
        self.assertEqual(program.output.splitlines(), wanted)

    async def test_memory(self) -> None:
        """
        Over the memory of the process.
        """
        await self.run_("memory:")

    async def test_redis(self) -> None:
        """
        Over a Redis server.
        """
        await self.run_(startServer(self, "redis").url)
