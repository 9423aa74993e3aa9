"""
Tests of L{siprec.render.form}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.render.form import FORMATS, PLAIN, Form


class FormTests(SynchronousTestCase):
    """
    What the finished audio is to look like.
    """

    def test_asked(self) -> None:
        """
        A form is told to another process in plain values; what is left out is as usual.
        """
        form = Form("mp3", "streams", peaks=True)
        self.assertEqual(Form.read(form.asked()), form)
        self.assertEqual(Form.read({}), PLAIN)

    def test_unknown(self) -> None:
        """
        A format or a layout that there is not is an error that names those there are.
        """
        error = self.assertRaises(ValueError, Form.read, {"format": "au"})
        self.assertEqual(
            str(error), "cannot write 'au': the formats are wav, g711, flac, opus, mp3"
        )
        error = self.assertRaises(ValueError, Form.read, {"layout": "x"})
        self.assertEqual(str(error), "no layout 'x': the layouts are channels, streams, mixed")

    def test_ofManifest(self) -> None:
        """
        A manifest tells the form that its audio has; one from before there were several
        is WAV.
        """
        self.assertEqual(Form.of(None), PLAIN)
        self.assertEqual(Form.of({"file": "audio.wav"}), PLAIN)
        audio = {"format": "opus", "layout": "mixed", "peaks": "audio.peaks.json"}
        self.assertEqual(Form.of(audio), Form("opus", "mixed", peaks=True))

    def test_rates(self) -> None:
        """
        A container that has only certain rates gets the next one above, so that nothing
        is lost, or its highest.
        """
        self.assertEqual(FORMATS["wav"].rate(44_100), 44_100)
        self.assertEqual(FORMATS["opus"].rate(8000), 8000)
        self.assertEqual(FORMATS["opus"].rate(44_100), 48_000)
        self.assertEqual(FORMATS["mp3"].rate(96_000), 48_000)

    def test_codes(self) -> None:
        """
        G.711 stays as it came, but in a mixture.
        """
        self.assertTrue(Form("g711").keepsCodes)
        self.assertFalse(Form("g711", "mixed").keepsCodes)
        self.assertFalse(PLAIN.keepsCodes)
