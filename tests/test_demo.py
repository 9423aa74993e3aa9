"""
Tests for L{siprec.demo}; the whole of it is run in C{tests.functional}.
"""

import os

import numpy as np
import soundfile
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from siprec.demo import DemoFailed, Options, describe, main, verify
from siprec.session.manifest import Manifest
from siprec.testing.voice import ANN, BOB, SAMPLE_RATE, conversation


def manifest(**more: object) -> Manifest:
    """
    @return: what the demonstration should leave.
    """
    streams = [
        {"channel": n, "label": str(n + 1), "participant": person, "packets": 100, "lost": 0}
        for n, person in enumerate(("PA", None))
    ]
    participants = [{"id": "PA", "name": "Ann", "aor": "sip:ann@example.com"}]
    return {
        "state": "complete",
        "duration": 2.0,
        "endReason": "bye",
        "audio": {"file": "audio.wav"},
        "streams": streams,
        "participants": participants,
        **more,
    }


class DescribeTests(SynchronousTestCase):
    """
    What is told about the recording.
    """

    def test_picture(self) -> None:
        """
        Folder, length and counts are told, and both channels drawn under the
        names of who speaks (or the label, if nobody is known to).
        """
        directory = self.mktemp()
        os.makedirs(directory)
        samples = np.stack(conversation([ANN, BOB], 2.0, 1.0), axis=1)
        soundfile.write(os.path.join(directory, "audio.wav"), samples, SAMPLE_RATE)
        lines = describe(manifest(), directory, "ascii")
        self.assertIn(directory, lines[0])
        self.assertIn("2.00 s", lines[1])
        self.assertIn("2, with 200 packets, 0 lost", lines[2])
        ann, other = lines[4], lines[5]
        self.assertTrue(ann.startswith("Ann |"))
        self.assertTrue(other.startswith("2   |"))
        self.assertEqual(ann.split("|")[1][30:].strip(), "")
        self.assertEqual(other.split("|")[1][:29].strip(), "")
        self.assertNotEqual(ann.split("|")[1][:30].strip(), "")

    def test_noAudio(self) -> None:
        """
        A recording without audio is a failure.
        """
        self.assertRaises(DemoFailed, describe, manifest(audio=None), "x", "ascii")


class VerifyTests(SynchronousTestCase):
    """
    Whether it came out as it should.
    """

    def test_good(self) -> None:
        """
        Every packet that was sent is in a complete recording of two streams.
        """
        verify(manifest(), 200)

    def test_bad(self) -> None:
        """
        Anything else is a failure that says what is wrong.
        """
        for found, sent, word in (
            (manifest(state="incomplete", endReason="disk full"), 200, "disk full"),
            (manifest(streams=[]), 0, "0 streams"),
            (manifest(), 201, "201 packets were sent, but 200"),
        ):
            error = self.assertRaises(DemoFailed, verify, found, sent)
            self.assertIn(word, str(error))


class OptionsTests(SynchronousTestCase):
    """
    The command line.
    """

    def test_defaults(self) -> None:
        """
        By default six seconds go to C{./recordings}; only the loopback
        interface is used.
        """
        options = Options()
        options.parseOptions([])
        settings = options["settings"]
        self.assertEqual(options["seconds"], 6.0)
        self.assertEqual(settings.recordings.directory, os.path.abspath("recordings"))
        self.assertEqual(settings.sip.listen, ("udp:0:interface=127.0.0.1",))
        self.assertEqual((settings.media.address, settings.http.listen), ("127.0.0.1", ""))

    def test_bad(self) -> None:
        """
        Bad options are usage errors.
        """
        for arguments in (["--seconds", "0"], ["--seconds", "x"], ["--recordings", ""], ["--x"]):
            self.assertRaises(UsageError, Options().parseOptions, arguments)

    def test_status(self) -> None:
        """
        They end the program with status 2 and a line that says why.
        """
        ended = Deferred.fromCoroutine(main(Clock(), "--seconds", "0"))
        self.assertEqual(self.failureResultOf(ended, SystemExit).value.code, 2)
