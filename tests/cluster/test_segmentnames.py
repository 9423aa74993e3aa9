"""
Tests of L{siprec.cluster.segmentnames}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.segmentnames import isOffered, segmentOf


class NamesTests(SynchronousTestCase):
    """
    Names of files.
    """

    def test_offered(self) -> None:
        """
        Journals and metadata documents are offered.
        """
        for name in ("1-0.rtpdump", "9999-999.rtpdump", "metadata-1.xml", "metadata-123456.xml"):
            self.assertTrue(isOffered(name), name)

    def test_notOffered(self) -> None:
        """
        Nothing else is, and no text that leads out of the recording's folder.
        """
        names: list[object] = [
            *("", ".", "..", "/", "recording.json", "audio.wav", "1-0.rtpdump.part"),
            *("../1-0.rtpdump", "/etc/passwd", "x/1-0.rtpdump", "1-0.rtpdump/..", "1-0.rtpdump\n"),
            *("0-0.rtpdump", "01-0.rtpdump", "1-0.rtpdump\0", "metadata-0.xml", "metadata-1.xml/x"),
            *("\uff11-0.rtpdump", "-1-0.rtpdump", "1-0.RTPDUMP", " 1-0.rtpdump"),
            *(None, 1, b"1-0.rtpdump", ["1-0.rtpdump"]),
        ]
        for name in names:
            self.assertFalse(isOffered(name), name)

    def test_segment(self) -> None:
        """
        A journal says which segment it is of.
        """
        self.assertEqual(segmentOf("12-3.rtpdump"), 12)
        self.assertIsNone(segmentOf("metadata-1.xml"))
