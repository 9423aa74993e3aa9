"""
Tests of L{benchmarks.rtpengine}.
"""

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.rtpengine import bencode, mediaPort


class ControlTests(SynchronousTestCase):
    """
    What is said to rtpengine, and what it answers.
    """

    def test_bencode(self) -> None:
        """
        Text has its length in octets before it; the keys of a dictionary are in order.
        """
        request = {"sdp": "\u00e9", "command": "offer", "flags": ["asymmetric"]}
        self.assertEqual(
            bencode(request),
            b"d7:command5:offer5:flagsl10:asymmetrice3:sdp2:\xc3\xa9e",
        )

    def test_mediaPort(self) -> None:
        """
        The port is that of the first stream in the answer's description.
        """
        answer = b"1 d6:result2:ok3:sdp30:v=0\r\nm=audio 20012 RTP/AVP 0\r\ne"
        self.assertEqual(mediaPort(answer), 20012)

    def test_refused(self) -> None:
        """
        An answer without one is an error that shows it.
        """
        with self.assertRaisesRegex(ValueError, "Unknown call-id"):
            mediaPort(b"1 d12:error-reason15:Unknown call-id6:result5:errore")


__all__ = ["ControlTests"]
