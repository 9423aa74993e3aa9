"""
Recordings to be rendered by tests.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.decode import G711
from siprec.render.recording import renderDirectory
from siprec.session.manifest import formatTime, readManifest, writeManifest
from siprec.session.model import Format
from tests.render.journals import (
    PCMU,
    START,
    Packet,
    audioOf,
    writeRecording,
)

ONE = ((PCMU,),)
TWO = ((PCMU,), (PCMU,))


class RecordingCase(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Name a folder for a recording.
        """
        self.directory = self.mktemp()

    def render(
        self,
        *legs: Sequence[Packet],
        end: float | None = None,
        streams: Sequence[Sequence[Format]] | None = None,
        events: Sequence[tuple[float, str, int]] = (),
    ) -> dict[str, Any]:
        """
        @param legs: the packets of each stream.
        @param events: seconds after the start, type and stream of each.
        @return: the rendering, after a turn through JSON.
        """
        journals = {f"1-{index}.rtpdump": leg for index, leg in enumerate(legs)}
        writeRecording(self.directory, journals, streams=streams or [(PCMU,)] * len(legs), end=end)
        if events:
            manifest = readManifest(self.directory)
            manifest["events"] = [
                {"time": formatTime(START + at), "type": type, "stream": stream}
                for at, type, stream in events
            ]
            writeManifest(self.directory, manifest, durable=False)
        found: dict[str, Any] = json.loads(json.dumps(renderDirectory(self.directory)))
        return found

    def assertAudio(self, *channels: NDArray[np.int16]) -> None:
        """
        The audio file is exactly this.
        """
        found = audioOf(self.directory)
        self.assertEqual(found.shape, (len(channels), len(channels[0])))
        for channel, wanted in enumerate(channels):
            np.testing.assert_array_equal(found[channel], wanted, f"channel {channel}")


@frozen(eq=False)
class Wide(G711):
    sampleRate: int = 16000


def wide() -> G711:
    return Wide(np.arange(256, dtype=np.int16))


def seconds(text: str) -> float:
    minutes, seconds = text[14:-1].split(":")
    return int(minutes) * 60 + float(seconds)
