"""
Calls of a real SIP client: sipp.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import soundfile
from numpy.typing import NDArray
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.wire import Law, decodeG711
from tests.functional.capture_file import CAPTURE, payload
from tests.functional.node import HOST, NodeProcess, Program, freeSipPort
from tests.programs import require

_SCENARIO = os.path.join(os.path.dirname(__file__), "scenarios", "call.xml")
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find(part: NDArray[np.int16], whole: NDArray[np.int16]) -> int | None:
    """
    @return: where C{part} stands in C{whole}, sample for sample.
    """
    window = np.lib.stride_tricks.sliding_window_view(whole, 64)
    for position in np.flatnonzero((window == part[:64]).all(axis=1)):
        if np.array_equal(whole[position : position + len(part)], part):
            return int(position)
    return None


class SippTests(TestCase):
    """
    Debian's sipp places a SIPREC call and plays its own G.711 capture on both
    streams.
    """

    def setUp(self) -> None:
        require("sipp")
        self.root = self.mktemp()
        os.makedirs(self.root)
        self.node = NodeProcess(os.path.abspath(self.root) + "/recordings", rtp="30000-30999")
        self.addCleanup(self.node.kill)

    def scenario(self, milliseconds: int) -> str:
        """
        @return: the path of the scenario with the legs filled in.
        """
        audio = os.path.abspath(f"{self.root}/capture.al")
        with open(audio, "wb") as file:
            file.write(payload())
        # sipp sends a capture as it is by raw sockets, which only root has.
        own = f'play_pcap_audio="{CAPTURE}"' if os.geteuid() == 0 else f'rtp_stream="{audio},1,8"'
        replay = f"{sys.executable} -m tests.functional.replay {HOST} [$second] {audio}"
        with open(_SCENARIO) as source:
            text = source.read()
        text = text.replace("[replay] [$second]", replay)
        text = text.replace('rtp_stream="[first_leg],1,8"', own)
        text = text.replace("[play_time]", str(milliseconds))
        path = os.path.abspath(f"{self.root}/call.xml")
        with open(path, "w") as target:
            target.write(text)
        return path

    async def call(self, transport: str) -> Manifest:
        """
        @return: the manifest of a call that sipp has placed.
        """
        await self.node.start()
        sipp = Program.start(
            *("/usr/bin/env", f"PYTHONPATH={_ROOT}", "sipp", f"{HOST}:{self.node.sip}"),
            *("-sf", self.scenario(8500), "-m", "1", "-t", transport, "-i", HOST),
            *("-p", str(freeSipPort()), "-nostdin", "-timeout", "60", "-trace_err"),
            cwd=os.path.abspath(self.root),
        )
        self.addCleanup(sipp.kill)
        self.assertEqual(await sipp.ended(90), 0, sipp.output)
        [manifest] = await self.node.finished()
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
        return manifest

    def check(self, manifest: Manifest) -> None:
        """
        The call was recorded as it was.
        """
        self.assertEqual(manifest["state"], "complete", manifest)
        streams = manifest["streams"]
        self.assertEqual([each["label"] for each in streams], ["1", "2"])
        self.assertEqual([each["channel"] for each in streams], [0, 1])
        names = {each["id"]: each["name"] for each in manifest["participants"]}
        self.assertEqual([names[each["participant"]] for each in streams], ["Ann", "Bob"])
        self.assertEqual([each["lost"] for each in streams], [0, 0])
        self.assertEqual(manifest["sessions"], ["c2Vzc2lvbg=="])
        directory = f"{self.node.root}/{manifest['startTime'][:10].replace('-', '/')}"
        path = f"{directory}/{manifest['id']}/audio.wav"
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        self.assertEqual(rate, 8000)
        self.assertEqual(samples.shape[1], 2)
        sent = decodeG711(payload(), Law.A)
        middle = sent[8000:-8000]
        for channel in (0, 1):
            self.assertIsNotNone(
                find(middle, samples[:, channel]), f"channel {channel} is not what was sent"
            )

    async def test_udp(self) -> None:
        """
        Over UDP the recording is complete, each channel equals the decoded
        capture sample for sample in the middle of the call, and the
        participants are on the channels of their labels.
        """
        self.check(await self.call("u1"))

    async def test_tcp(self) -> None:
        """
        The same over TCP.
        """
        self.check(await self.call("t1"))
