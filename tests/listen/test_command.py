"""
Tests of L{siprec.listen.command}; with a real node it is tested in
L{tests.functional.test_listen}.
"""

from __future__ import annotations

import io
import os
from argparse import ArgumentParser

from siprec.listen.call import waveHeader
from siprec.listen.command import ListenError, addArguments, listen
from siprec.session.archive import directoryOf
from siprec.session.manifest import readManifest
from tests.listen.test_call import CallCase


class CommandTests(CallCase):
    """
    What was typed.
    """

    def listen(self, *arguments: str) -> bytes:
        """
        @return: what was written.
        """
        parser, output = ArgumentParser(), io.BytesIO()
        addArguments(parser)
        listen(
            parser.parse_args(arguments),
            self.warned.append,
            lambda: output,
            self.clock.seconds,
            self.clock.advance,
        )
        return output.getvalue()

    def error(self, *arguments: str) -> str:
        """
        @return: why there is nothing to hear.
        """
        return str(self.assertRaises(ListenError, self.listen, *arguments))

    def test_sound(self) -> None:
        """
        A header, and the sound to the end.
        """
        self.clock.callLater(2.0, self.end, 3.0)
        data = self.listen(self.directory, "--from-start")
        self.assertEqual(data[:44], waveHeader(8000, 2))
        self.assertEqual(len(data), 44 + 3 * 32_000)

    def test_options(self) -> None:
        """
        One channel, and another delay.
        """
        self.clock.callLater(2.0, self.end, 3.0)
        data = self.listen(self.directory, "--mix", "--delay", "2")
        self.assertEqual(data[:44], waveHeader(8000, 1))
        self.assertEqual(len(data), 44 + 3 * 16_000)
        for delay in ("0", "11", "x"):
            self.assertIn("seconds, above 0", self.error(self.directory, "--delay", delay))

    def test_ids(self) -> None:
        """
        A recording is found by its id in the recordings directory.
        """
        root = os.path.abspath(self.mktemp())
        identity = readManifest(self.directory)["id"]
        self.assertIn("no such recording", self.error(identity, "--recordings", root))
        made = int(identity[:8] + identity[9:13], 16) / 1000
        place = directoryOf(root, identity, made)
        os.makedirs(os.path.dirname(place))
        os.rename(self.directory, place)
        self.directory = place
        self.clock.callLater(2.0, self.end, 3.0)
        self.assertTrue(self.listen(identity, "--recordings", root))

    def test_over(self) -> None:
        """
        What is over is not played.
        """
        self.end(3.0, "complete")
        self.assertIn("the recording is complete", self.error(self.directory))
