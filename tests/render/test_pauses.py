"""
Tests of L{siprec.render.pauses}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.render.pauses import Pause, holdsOf, isPaused, silences
from siprec.session.times import formatTime

ONE = [Pause(1000, 2000)]


class PausedTests(SynchronousTestCase):
    """
    Whether what is missing was never sent.
    """

    def test_within(self) -> None:
        """
        It may begin a little before the pause was said, and end a little after.
        """
        for begin, end in ((1000, 2000), (950, 2050), (1200, 1300), (1900, 2090)):
            self.assertTrue(isPaused(begin, end, ONE, 100), (begin, end))

    def test_beside(self) -> None:
        """
        What is lost before, or after, or mostly elsewhere is lost.
        """
        for begin, end in ((900, 1000), (2000, 2100), (0, 1100), (1950, 4000)):
            self.assertFalse(isPaused(begin, end, ONE, 100), (begin, end))
        self.assertFalse(isPaused(1000, 2000, [], 100))


class SilenceTests(SynchronousTestCase):
    """
    The silence of a pause.
    """

    def test_between(self) -> None:
        """
        It goes from the last packet before to the first one after.
        """
        played = [(2050, 3000), (0, 980)]
        self.assertEqual(silences(played, ONE, 0, 3000, 100), [(980, 2050)])

    def test_ownSilence(self) -> None:
        """
        Silence of the peer beside the pause is not part of it.
        """
        self.assertEqual(silences([(0, 500), (2800, 3000)], ONE, 0, 3000, 100), [(1000, 2000)])

    def test_open(self) -> None:
        """
        A pause that was never resumed is silent to the end, one from the beginning on
        since then.
        """
        self.assertEqual(silences([(0, 1000)], [Pause(1000, 3000)], 0, 3000, 100), [(1000, 3000)])
        self.assertEqual(silences([(1000, 3000)], [Pause(0, 1000)], 0, 3000, 100), [(0, 1000)])
        self.assertEqual(silences([], [Pause(0, 3000)], 0, 3000, 100), [(0, 3000)])

    def test_sentAllTheSame(self) -> None:
        """
        A peer that sends on is not silent.
        """
        self.assertEqual(silences([(0, 3000)], ONE, 0, 3000, 100), [])

    def test_overlapping(self) -> None:
        """
        Packets of two sources count as one.
        """
        self.assertEqual(silences([(0, 1500), (200, 400)], ONE, 0, 3000, 100), [(1500, 2000)])


class HoldTests(SynchronousTestCase):
    """
    When a null address said that the peer would send nothing.
    """

    def test_holds(self) -> None:
        """
        Only the stream's own holds count, each from the first word of it on; the last one
        may never end.
        """
        told = (
            (1, "streamHeld", 0),
            (2, "streamHeld", 1),
            (3, "streamHeld", 0),
            (4, "streamReleased", 0),
            (5, "streamReleased", 0),
            (7, "streamPaused", 0),
            (8, "streamHeld", 0),
        )
        events = [{"time": formatTime(at), "type": kind, "stream": of} for at, kind, of in told]
        self.assertEqual(holdsOf({"events": events[::-1]}, 0), [(1.0, 4.0), (8.0, None)])
        self.assertEqual(holdsOf({"events": events}, 2), [])
