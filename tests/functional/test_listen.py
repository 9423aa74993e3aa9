"""
C{siprec listen} with a real node and a real call.
"""

from __future__ import annotations

import os
import sys

import numpy as np
from numpy.typing import NDArray
from twisted.trial.unittest import TestCase

from siprec.testing.client import RecordingClient
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, Program, eventually, pause, reactor
from tests.programs import require

_RATE = 8000


def tone(hertz: float, seconds: float) -> bytes:
    """
    @return: encoded.
    """
    times = np.arange(int(seconds * _RATE)) / _RATE
    return encodeG711((12_000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16), Law.MU)


def pitch(samples: NDArray[np.int16]) -> float:
    """
    @return: the loudest frequency, in hertz.
    """
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * _RATE / len(samples))


class ListenTests(TestCase):
    """
    Two people, each with a tone of their own, and somebody who listens.
    """

    async def start(self) -> RecordingClient:
        """
        Start node and client.
        """
        self.node = NodeProcess(os.path.abspath(self.mktemp()), rtp="34200-34399")
        self.addCleanup(self.node.kill)
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        return client

    def listen(self, pipe: str, *options: str) -> Program:
        """
        @param pipe: where the shell has its output go, such as C{> FILE}.
        """
        [manifest] = self.node.recordings()
        command = f'"$0" -m siprec.cli listen --recordings "$1" "$2" {" ".join(options)} {pipe}'
        program = Program.start(
            "/bin/sh", "-c", command, sys.executable, self.node.root, manifest["id"]
        )
        self.addCleanup(program.kill)
        return program

    def sound(self) -> NDArray[np.int16]:
        """
        @return: what has been written by now, without the header.
        """
        with open(self.file, "rb") as file:
            data = file.read()[44:]
        return np.frombuffer(data[: len(data) // 4 * 4], "<i2").reshape(-1, 2)

    async def test_heard(self) -> None:
        """
        Both are heard in their channels, while they speak and with little delay, until the
        call is over; then it is told which file to play.
        """
        client = await self.start()
        call = await client.invite()
        self.file = os.path.abspath(self.mktemp())
        require("sox")
        program = self.listen(f"| tee {self.file} | sox -t wav - -n stat")
        await eventually("the header", lambda: self.size() >= 44 or None)
        await pause(1.0)
        playing = call.play([tone(440, 5.0), tone(1000, 5.0)])
        began = reactor.seconds()
        await eventually("the tone", lambda: self.sound()[-800:].any() or None)
        self.assertLess(reactor.seconds() - began, 2.0)
        await playing
        # Some four seconds of it by now, though the call goes on.
        heard = self.sound()
        loud = np.flatnonzero(np.abs(heard).max(1) > 8000)
        self.assertGreater(len(loud), 2 * _RATE)
        middle = slice(loud[0] + _RATE, loud[0] + 2 * _RATE)
        pitches = [pitch(heard[middle, channel]) for channel in (0, 1)]
        self.assertEqual(pitches, [440, 1000])
        await call.bye()
        self.assertEqual(await program.ended(), 0)
        await self.node.finished()
        refused = self.listen("")
        self.assertEqual(await refused.ended(), 1)
        self.assertRegex(refused.output, r"the recording is complete; play its file: .*/audio.wav")
        # Players take the endless length for what it is.
        self.assertIn("Samples read", program.output)
        self.assertNotIn("siprec", program.output)

    def size(self) -> int:
        """
        @return: octets that were written.
        """
        return os.path.getsize(self.file) if os.path.exists(self.file) else 0

    async def test_brokenPipe(self) -> None:
        """
        Who has heard enough ends it, without a word, and the call does not mind.
        """
        client = await self.start()
        call = await client.invite()
        playing = call.play([tone(440, 2.0), tone(1000, 2.0)])
        await pause(1.0)
        program = self.listen("| head -c 20000 | wc -c", "--from-start", "--mix")
        self.assertEqual(await program.ended(), 0)
        self.assertEqual(program.output.strip(), "20000")
        await playing
        await call.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
