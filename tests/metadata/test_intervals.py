"""
Tests of L{siprec.metadata.intervals}.
"""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.intervals import MOST, associate, close, needsImplied
from siprec.metadata.model import SessionRecording, Time
from siprec.metadata.state import Interval
from tests.metadata.fixtures import PROPERTY, minute

_Intervals = tuple[Interval, ...]


def said(
    start: int | None = None, end: int | None = None, unclear: bool = False
) -> SessionRecording:
    """
    @param start: minute of the associate-time.
    @param end: minute of the disassociate-time.
    @param unclear: there is a disassociate-time that is no time.
    """
    begins = None if start is None else Time(str(start), minute(start))
    ends = None if end is None else Time(str(end), minute(end))
    return SessionRecording("S", begins, Time("soon", None) if unclear else ends)


def stated(seen: int, start: int | None, closed: int, end: int | None) -> Interval:
    """
    @return: an interval with a stated end.
    """
    begin = None if start is None else minute(start)
    return Interval(
        minute(seen), begin, minute(closed), None if end is None else minute(end), "stated"
    )


class AssociateTests(SynchronousTestCase):
    """
    Rule 5 of CONFORMANCE B.2.
    """

    def apply(self, intervals: _Intervals, *elements: SessionRecording, at: int = 10) -> _Intervals:
        """
        Apply the elements, and again, which must not show.
        """
        after = associate(intervals, elements, minute(at))
        self.assertEqual(associate(after, elements, minute(at + 100)), after)
        return after

    def test_B2_begin(self) -> None:
        """
        An associate-time begins an interval.
        """
        self.assertEqual(self.apply((), said(1)), (Interval(minute(10), minute(1)),))

    def test_B2_beginWithoutTime(self) -> None:
        """
        An element without times begins one too, and confirms an open one.
        """
        opened = self.apply((), said())
        self.assertEqual(opened, (Interval(minute(10)),))
        self.assertEqual(self.apply(opened, said()), opened)

    def test_B2_repair(self) -> None:
        """
        A start that was not known is filled in.
        """
        opened = (Interval(minute(5)),)
        self.assertEqual(self.apply(opened, said(1)), (Interval(minute(5), minute(1)),))

    def test_B2_sameStart(self) -> None:
        """
        The same associate-time changes nothing, open or stated closed.
        """
        for intervals in ((Interval(minute(5), minute(1)),), (stated(5, 1, 6, 2),)):
            self.assertEqual(self.apply(intervals, said(1)), intervals)

    def test_B2_otherStart(self) -> None:
        """
        Another one begins a new interval and ends the open one there.
        """
        self.assertEqual(
            self.apply((Interval(minute(5), minute(1)),), said(4)),
            (
                Interval(minute(5), minute(1), minute(10), minute(4), "superseded"),
                Interval(minute(10), minute(4)),
            ),
        )
        self.assertEqual(
            self.apply((stated(5, 1, 6, 2),), said(4)),
            (stated(5, 1, 6, 2), Interval(minute(10), minute(4))),
        )

    def test_B2_reopen(self) -> None:
        """
        What only a snapshot had ended goes on if its own start comes again.
        """
        absent = (Interval(minute(5), minute(1), minute(6), None, "absent-in-snapshot"),)
        self.assertEqual(self.apply(absent, said(1)), (Interval(minute(5), minute(1)),))

    def test_B2_end(self) -> None:
        """
        A disassociate-time alone closes the open interval.
        """
        self.assertEqual(
            self.apply((stated(1, 1, 2, 2), Interval(minute(5), minute(3))), said(end=4)),
            (stated(1, 1, 2, 2), stated(5, 3, 10, 4)),
        )

    def test_B2_endOfNothing(self) -> None:
        """
        Without any interval it makes a closed one; with a closed one whose end
        was not stated it says when that was; else it changes nothing.
        """
        self.assertEqual(self.apply((), said(end=4)), (stated(10, None, 10, 4),))
        absent = (Interval(minute(5), None, minute(6), None, "absent-in-snapshot"),)
        self.assertEqual(self.apply(absent, said(end=4)), (stated(5, None, 6, 4),))
        over = (stated(5, 1, 6, 2),)
        self.assertEqual(self.apply(over, said(end=4)), over)

    def test_B2_endWithoutTime(self) -> None:
        """
        A disassociate-time that is no time is an end all the same.
        """
        self.assertEqual(
            self.apply((Interval(minute(5), minute(1)),), said(unclear=True)),
            (stated(5, 1, 10, None),),
        )

    def test_B2_both(self) -> None:
        """
        Both times set an interval or repair one, open or closed.
        """
        self.assertEqual(self.apply((), said(1, 2)), (stated(10, 1, 10, 2),))
        for before in (Interval(minute(5), minute(1)), Interval(minute(5)), stated(5, 1, 10, 3)):
            self.assertEqual(self.apply((before,), said(1, 2)), (stated(5, 1, 10, 2),))

    def test_B2_severalInOneDocument(self) -> None:
        """
        Elements of one pair are taken in the order of their times; one without
        times adds nothing to them.
        """
        opened = (Interval(minute(5), minute(1)),)
        after = (stated(5, 1, 10, 2), Interval(minute(10), minute(3)))
        self.assertEqual(self.apply(opened, said(3), said(), said(end=2)), after)
        self.assertEqual(self.apply(opened, said(), said()), opened)

    def test_B2_endBeforeBegin(self) -> None:
        """
        An end of something unknown does not end what begins after it in the same
        document.
        """
        over = (stated(5, 1, 6, 2),)
        after = (*over, Interval(minute(10), minute(4)))
        self.assertEqual(self.apply(over, said(end=3), said(4)), after)

    def test_B2_stoppedSession(self) -> None:
        """
        After the end of the session an element without times begins nothing
        again.
        """
        over = (stated(5, 1, 6, 2),)
        self.assertEqual(associate(over, [said()], minute(9), stopped=True), over)
        self.assertEqual(associate(over, [said()], minute(9))[1:], (Interval(minute(9)),))

    def test_bounded(self) -> None:
        """
        The history keeps the newest intervals.
        """
        after = associate((), [said(number) for number in range(MOST + 9)], minute(10))
        self.assertEqual(len(after), MOST)
        self.assertEqual(after[-1].start, minute(MOST + 8))

    @PROPERTY
    @given(
        st.lists(
            st.lists(
                st.builds(
                    said,
                    st.none() | st.integers(0, 4),
                    st.none() | st.integers(0, 4),
                    st.booleans(),
                ),
                max_size=3,
            ),
            max_size=4,
        )
    )
    def test_B2_idempotent(self, documents: list[list[SessionRecording]]) -> None:
        """
        Whatever came before, the same elements again change nothing.
        """
        intervals: _Intervals = ()
        for number, elements in enumerate(documents):
            intervals = self.apply(intervals, *elements, at=number)
            self.assertLessEqual(sum(each.closed is None for each in intervals), 1)


class CloseTests(SynchronousTestCase):
    """
    Ends from outside.
    """

    def test_close(self) -> None:
        """
        Only what is open ends.
        """
        end: datetime = minute(8)
        before = (stated(1, 1, 2, 2), Interval(minute(3), minute(3)))
        self.assertEqual(
            close(before, minute(9), end, "session-stopped"),
            (before[0], Interval(minute(3), minute(3), minute(9), end, "session-stopped")),
        )

    def test_needsImplied(self) -> None:
        """
        Being mentioned begins what never began, or what a snapshot only missed.
        """
        self.assertTrue(needsImplied(()))
        self.assertTrue(
            needsImplied((Interval(minute(1), None, minute(2), None, "absent-in-snapshot"),))
        )
        self.assertFalse(needsImplied((Interval(minute(1)),)))
        self.assertFalse(needsImplied((stated(1, 1, 2, 2),)))
