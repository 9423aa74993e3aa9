"""
Tests of L{siprec.listen.call}.
"""

from __future__ import annotations

import os
import shutil
import struct
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.listen.call import LiveCall, NotRunning, waveHeader
from siprec.session.manifest import readManifest, writeManifest
from siprec.session.times import formatTime
from tests.render.journals import START, talk, writeJournal, writeRecording


class HeaderTests(SynchronousTestCase):
    """
    L{waveHeader}.
    """

    def test_endless(self) -> None:
        """
        It says that it is as long as can be.
        """
        header = waveHeader(8000, 2)
        self.assertEqual(len(header), 44)
        self.assertEqual((header[:4], header[8:16]), (b"RIFF", b"WAVEfmt "))
        self.assertEqual(struct.unpack("<I", header[4:8]), (0xFFFFFFFF,))
        self.assertEqual(
            struct.unpack("<IHHIIHH4sI", header[16:]),
            (16, 1, 2, 8000, 32_000, 4, 16, b"data", 0xFFFFFFFF),
        )


class CallCase(SynchronousTestCase):
    """
    A recording of two streams whose first packets came; who waits makes time pass.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        self.clock = Clock()
        self.clock.advance(START)
        self.warned: list[str] = []
        journals = {"1-0.rtpdump": talk(250), "1-1.rtpdump": talk(250, seed=2)}
        writeRecording(self.directory, journals, streams=((), ()))
        self.change(state="recording", endTime=None)

    def change(self, **changes: Any) -> None:
        """
        Write the manifest anew.
        """
        writeManifest(self.directory, {**readManifest(self.directory), **changes}, durable=False)

    def end(self, at: float, state: str = "finishing") -> None:
        """
        The call is over.

        @param at: seconds after the start.
        """
        self.change(state=state, endTime=formatTime(START + at))

    def open(self, **options: Any) -> LiveCall:
        """
        @return: one who listens.
        """
        return LiveCall.open(
            self.directory,
            self.warned.append,
            self.clock.seconds,
            self.clock.advance,
            **options,
        )

    def hear(self, call: LiveCall) -> NDArray[np.int16]:
        """
        @return: all samples to the end, a column for each channel.
        """
        data = b"".join(call.pieces())
        return np.frombuffer(data, "<i2").reshape(-1, call.channels)


class CallTests(CallCase):
    """
    L{LiveCall}.
    """

    def test_fromStart(self) -> None:
        """
        What was said is heard as it was, a channel a stream, up to the end.
        """
        self.clock.advance(5.0)
        self.clock.callLater(0.2, self.end, 6.0)
        sound = self.hear(self.open(fromStart=True))
        self.assertEqual(sound.shape, (48_000, 2))
        self.assertTrue((np.abs(sound[:40_000]).max(0) > 500).all())
        self.assertFalse(sound[40_000:].any())
        self.assertEqual(self.warned, [])

    def test_fromNow(self) -> None:
        """
        Else what comes from now on is heard.
        """
        self.clock.advance(5.0)
        call = self.open()
        late = [evolve(each, arrival=each.arrival + 5.5) for each in talk(50)]
        writeJournal(f"{self.directory}/2-0.rtpdump", late)
        self.clock.callLater(3.0, self.end, 8.0)
        sound = self.hear(call)
        self.assertEqual(len(sound), 24_000)
        self.assertFalse(sound[:4000].any())
        self.assertTrue(sound[4000:12_000, 0].any())
        self.assertFalse(sound[12_000:].any() or sound[:, 1].any())

    def test_delay(self) -> None:
        """
        It is heard after the delay, and no later.
        """
        self.clock.advance(5.0)
        call = self.open(delay=0.7)
        heard = 0
        for piece in call.pieces():
            heard += len(piece) // 4
            behind = self.clock.seconds() - START - 5.0 - heard / 8000
            self.assertLess(abs(behind - 0.7), 0.11)
            if heard > 16_000:
                break

    def test_mix(self) -> None:
        """
        In one channel there is the sum.
        """
        self.clock.advance(5.0)
        self.clock.callLater(0.2, self.end, 5.0)
        apart = self.hear(self.open(fromStart=True)).astype(np.int32).sum(1)[:32_000]
        self.change(state="recording", endTime=None)
        self.clock.callLater(0.2, self.end, 5.0)
        mixed = self.hear(self.open(fromStart=True, channels=1))[:32_000, 0]
        self.assertTrue(np.array_equal(apart.clip(-32768, 32767), mixed))

    def test_newStream(self) -> None:
        """
        A stream that comes into the call is heard, in the channel that its number gives,
        whether the manifest or its journal is seen first.
        """
        self.clock.advance(5.0)
        call = self.open()
        late = [evolve(each, arrival=each.arrival + 6) for each in talk(50)]
        writeJournal(f"{self.directory}/1-3.rtpdump", late)
        self.clock.callLater(3.0, self.end, 8.0)
        sound = self.hear(call)
        self.assertTrue(sound[:, 1].any())
        self.assertFalse(sound[:, 0].any())

    def test_over(self) -> None:
        """
        What is over is not played, and it is told what to play.
        """
        self.end(5.0)
        self.assertRaises(NotRunning, self.open)
        self.change(state="complete", audio={"file": "audio.flac"})
        error = self.assertRaises(NotRunning, self.open)
        self.assertIn(f"{self.directory}/audio.flac", str(error))
        self.change(state="incomplete", audio=None)
        self.assertIn("no audio", str(self.assertRaises(NotRunning, self.open)))

    def test_endUnknown(self) -> None:
        """
        Where the end is not told it is when it is seen, and so if the folder is gone.
        """
        self.clock.callLater(2.0, self.change, state="finishing", endTime=None)
        self.hear(self.open())
        self.assertLess(self.clock.seconds(), START + 4.5)
        self.change(state="recording")
        self.clock.callLater(2.0, shutil.rmtree, self.directory)
        self.hear(self.open())
        self.assertTrue(self.warned)

    def test_badJournals(self) -> None:
        """
        A journal that is none is told once and does not disturb the others; nor does a
        payload type that cannot be played.
        """
        for name in ("1-2.rtpdump", "1-4.rtpdump"):
            with open(f"{self.directory}/{name}", "w") as file:
                file.write("something else")
        odd = [evolve(each, payloadType=99) for each in talk(50)]
        writeJournal(f"{self.directory}/1-5.rtpdump", odd)
        call = self.open(fromStart=True)
        self.clock.callLater(6.0, self.end, 5.0)
        self.assertTrue(self.hear(call)[:, 0].any())
        self.assertEqual(len(self.warned), 3)
        self.assertIn("stream 5: payload type 99 (unknown) cannot be played", self.warned)
        self.warned.clear()
        self.change(state="recording", endTime=None)
        self.open()
        self.assertEqual(len(self.warned), 2)
