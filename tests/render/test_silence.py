"""
Tests of L{siprec.render.silence}.
"""

import os

from siprec.render.form import FORMATS, Form
from siprec.render.recording import renderDirectory
from siprec.render.silence import silence
from siprec.session.manifest import formatTime, readManifest, writeManifest
from tests.render.journals import PCMA, PCMU, START, writeRecording
from tests.render.recordingcase import RecordingCase


class SilenceTests(RecordingCase):
    """
    What is told of a recording in which nothing came.
    """

    def assertSame(self, form: Form) -> None:
        """
        It is what the renderer would have found and written.
        """
        rendering = renderDirectory(self.directory, form)
        found = silence(readManifest(self.directory), form)
        assert found is not None
        self.assertEqual(found.rendering, rendering)
        for name, data in found.files.items():
            with open(os.path.join(self.directory, name), "rb") as file:
                self.assertEqual(data, file.read())
        self.assertEqual([*found.files], [rendering["audio"]["file"]])

    def test_same(self) -> None:
        """
        The rendering and the file are the same, octet by octet, whatever number of
        streams there is, and whatever format the audio would have.
        """
        for count in (0, 1, 2, 3, 9):
            streams = [(PCMU, PCMA), ()][:count] + [(PCMA,)] * (count - 2)
            writeRecording(self.directory, {}, streams=streams, end=12.5)
            for format in FORMATS:
                self.assertSame(Form(format))

    def test_paused(self) -> None:
        """
        Also where the peer had said that it would send nothing, and channels are not
        in the order of the streams.
        """
        writeRecording(self.directory, {}, streams=[(PCMU,), (PCMU,)], end=9)
        manifest = readManifest(self.directory)
        for at, type, stream in (
            (1, "streamPaused", 0),
            (3, "streamResumed", 0),
            (4, "streamHeld", 1),
        ):
            event = {"time": formatTime(START + at), "type": type, "stream": stream}
            manifest["events"].append(event)
        manifest["segments"] = [
            {
                "node": "one",
                "epoch": 1,
                "start": manifest["startTime"],
                "end": manifest["endTime"],
                "files": [],
            }
        ]
        for each, channel in zip(manifest["streams"], (1, 0), strict=True):
            each["channel"] = channel
        writeManifest(self.directory, manifest)
        self.assertSame(Form())

    def test_otherForms(self) -> None:
        """
        Of other files than the one with a channel for each stream nothing is said.
        """
        writeRecording(self.directory, {}, streams=[(PCMU,)])
        manifest = readManifest(self.directory)
        for form in (Form(layout="streams"), Form(layout="mixed"), Form(peaks=True)):
            self.assertIsNone(silence(manifest, form))
        manifest["streams"] *= 1025
        self.assertIsNone(silence(manifest, Form()))
