"""
Tests of L{siprec.plot}.
"""

import os
from typing import Any

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec import plot as module
from siprec.plot import PlotError, plot
from siprec.render.form import Form
from siprec.render.recording import renderDirectory
from siprec.session.manifest import readManifest, withRendering
from tests.render.journals import PCMU, talk, writeRecording

_PNG = b"\x89PNG\r\n\x1a\n"


class PlotTests(SynchronousTestCase):
    """
    A picture of a recording's waveform.
    """

    def setUp(self) -> None:
        """
        Record two people, with a second missing.
        """
        self.directory = self.mktemp()
        caller, callee = talk(100), talk(50, begin=1.0, ssrc=7, seed=2)
        del caller[20:70]
        journals = {"1-0.rtpdump": caller, "1-1.rtpdump": callee}
        writeRecording(self.directory, journals, streams=((PCMU,), (PCMU,)))
        self.path = os.path.join(self.directory, "picture.png")

    def manifest(self, form: Form, **changes: Any) -> dict[str, Any]:
        """
        @return: of the recording, when it is rendered in a form.
        """
        manifest = readManifest(self.directory)
        return withRendering(manifest, renderDirectory(self.directory, form)) | changes

    def picture(self, form: Form, **changes: Any) -> bytes:
        """
        @return: what is drawn.
        """
        plot(self.directory, self.manifest(form, **changes), self.path)
        with open(self.path, "rb") as file:
            return file.read()

    def test_picture(self) -> None:
        """
        It is a PNG file, the taller the more channels there are, whatever the audio looks like.
        """
        heights = {}
        for format, layout in (
            ("wav", "channels"),
            ("opus", "channels"),
            ("flac", "streams"),
            ("g711", "channels"),
            ("mp3", "mixed"),
        ):
            data = self.picture(Form(format, layout))
            self.assertTrue(data.startswith(_PNG))
            heights[layout] = int.from_bytes(data[20:24], "big")
            self.assertEqual(int.from_bytes(data[16:20], "big"), 1600)
        self.assertEqual(heights, {"channels": 420, "streams": 420, "mixed": 260})

    def test_shown(self) -> None:
        """
        What is missing, and who took part, changes the picture; another waveform does, too.
        """
        pictures = [
            self.picture(Form()),
            self.picture(Form(), gaps=[]),
            self.picture(Form(), id="x"),
            self.picture(Form("flac", "streams"), streams=[]),
        ]
        self.assertEqual(len(set(pictures)), 4)

    def test_again(self) -> None:
        """
        The same recording gives the same picture, and one that was there is replaced.
        """
        self.assertEqual(self.picture(Form()), self.picture(Form()))
        self.assertEqual(
            [name for name in os.listdir(self.directory) if "picture" in name], ["picture.png"]
        )

    def test_names(self) -> None:
        """
        A name that would be a formula, or is of control characters, is drawn as it is.
        """
        person = {"id": "a", "name": "$\\frac{$\x07", "aor": "", "streams": []}
        manifest = self.manifest(Form())
        manifest["participants"] = [person]
        manifest["streams"][0]["participant"] = "a"
        plot(self.directory, manifest, self.path)
        self.assertTrue(os.path.exists(self.path))

    def test_extremes(self) -> None:
        """
        Each column has the lowest and the highest of its samples, also where the file is read in
        pieces.
        """
        self.manifest(Form())
        path = os.path.join(self.directory, "audio.wav")
        whole = module._extremes(path)
        self.assertEqual([each.shape for each in whole], [(1600, 2)] * 2)
        self.patch(module, "_BLOCK", 100)
        for one, other in zip(module._extremes(path), whole, strict=True):
            np.testing.assert_array_equal(one, other)
        self.assertEqual(float(np.abs(whole[1][:790]).max()), 0.0)
        self.assertLess(float(whole[1][810:, 0].max()), 0.0)

    def test_nothing(self) -> None:
        """
        A recording without a sample is an empty picture.
        """
        writeRecording(self.directory, {})
        for name in ("1-0.rtpdump", "1-1.rtpdump"):
            os.unlink(os.path.join(self.directory, name))
        self.assertTrue(self.picture(Form()).startswith(_PNG))

    def test_noAudio(self) -> None:
        """
        Before there is audio there is no picture.
        """
        manifest = readManifest(self.directory)
        error = self.assertRaises(PlotError, plot, self.directory, manifest, self.path)
        self.assertIn("there is no audio yet: the recording is recording", str(error))

    def test_damaged(self) -> None:
        """
        Audio that cannot be read is an error, and nothing is written.
        """
        manifest = self.manifest(Form())
        with open(os.path.join(self.directory, "audio.wav"), "wb"):
            pass
        self.assertRaises(PlotError, plot, self.directory, manifest, self.path)
        self.assertFalse(os.path.exists(self.path))

    def test_noMatplotlib(self) -> None:
        """
        Without matplotlib the error says what to install.
        """

        def missing(name: str) -> object:
            raise ImportError(f"No module named {name!r}")

        manifest = self.manifest(Form())
        self.patch(module, "import_module", missing)
        error = self.assertRaises(PlotError, plot, self.directory, manifest, self.path)
        self.assertIn("pip install 'siprec[plot]'", str(error))

    def test_unwritable(self) -> None:
        """
        A place that cannot be written to is an error.
        """
        path = os.path.join(self.directory, "gone", "x.png")
        self.assertRaises(OSError, plot, self.directory, self.manifest(Form()), path)
