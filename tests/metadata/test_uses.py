"""
Tests of L{siprec.metadata.uses}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import ParticipantStream, Time
from siprec.metadata.state import StreamUse
from siprec.metadata.uses import closeUse, idleUse, replaceUse
from tests.metadata.fixtures import minute

_Uses = tuple[StreamUse, ...]


def said(
    send: str = "", recv: str = "", start: int | None = None, end: int | None = None
) -> ParticipantStream:
    """
    @param send: one letter for each stream.
    @param start: minute of the associate-time.
    @param end: minute of the disassociate-time.
    """
    times = [None if each is None else Time(str(each), minute(each)) for each in (start, end)]
    return ParticipantStream("P", tuple(send), tuple(recv), times[0], times[1])


def use(send: str, recv: str, seen: int, start: int | None = None) -> StreamUse:
    """
    @return: a use that lasts.
    """
    begin = None if start is None else minute(start)
    return StreamUse(tuple(send), tuple(recv), minute(seen), begin)


class ReplaceTests(SynchronousTestCase):
    """
    Rule 4 of CONFORMANCE B.2.
    """

    def replace(
        self, uses: _Uses, *elements: ParticipantStream, at: int = 10, idle: str = ""
    ) -> _Uses:
        """
        Apply the elements, and again, which must not show.
        """
        after = replaceUse(uses, elements, minute(at), set(idle))
        if not idle:
            self.assertEqual(replaceUse(after, elements, minute(at + 100), set()), after)
        return after

    def test_first(self) -> None:
        """
        The first element begins a use, at its associate-time if it has one.
        """
        self.assertEqual(self.replace((), said("T", "U", 3)), (use("T", "U", 10, 3),))

    def test_same(self) -> None:
        """
        The same sets in any order change nothing but a start not yet known.
        """
        before = (use("TU", "V", 1),)
        self.assertEqual(self.replace(before, said("UT", "V")), before)
        self.assertEqual(self.replace(before, said("TU", "V", 3)), (use("TU", "V", 1, 3),))

    def test_other(self) -> None:
        """
        Other sets end the use before; at the time stated, if one is.
        """
        self.assertEqual(
            self.replace((use("T", "U", 1),), said("", "U", 3)),
            (
                StreamUse(("T",), ("U",), minute(1), None, minute(10), minute(3), "superseded"),
                use("", "U", 10, 3),
            ),
        )

    def test_end(self) -> None:
        """
        A disassociate-time ends the use.
        """
        self.assertEqual(
            self.replace((use("T", "U", 1),), said("T", "U", None, 5)),
            (StreamUse(("T",), ("U",), minute(1), None, minute(10), minute(5), "stated"),),
        )

    def test_endOfNothing(self) -> None:
        """
        Of nothing known it makes an ended use; of one that ended otherwise it
        says when; of one with a stated end nothing.
        """
        ended = StreamUse(("T",), (), minute(10), minute(2), minute(10), minute(5), "stated")
        self.assertEqual(self.replace((), said("T", "", 2, 5)), (ended,))
        absent = StreamUse(("T",), (), minute(1), None, minute(4), None, "absent-in-snapshot")
        self.assertEqual(
            self.replace((absent,), said("T", "", None, 5)),
            (StreamUse(("T",), (), minute(1), None, minute(4), minute(5), "stated"),),
        )
        self.assertEqual(self.replace((ended,), said("T", "", None, 7)), (ended,))

    def test_endAndBegin(self) -> None:
        """
        With an end and other sets in one document, that is when the use before
        ended.
        """
        self.assertEqual(
            self.replace((use("T", "", 1),), said("T", "", None, 5), said("U")),
            (
                StreamUse(("T",), (), minute(1), None, minute(10), minute(5), "superseded"),
                use("U", "", 10),
            ),
        )

    def test_idle(self) -> None:
        """
        Streams of a session that is over are not taken up again, but what held
        until then is on record.
        """
        fresh = self.replace((), said("TU"), idle="T")
        self.assertEqual(fresh, (use("TU", "", 10),))
        settled = idleUse(fresh, {"T"}, minute(8), minute(7))
        self.assertEqual(self.replace(settled, said("TU"), at=20, idle="T"), settled)
        over = idleUse(fresh, {"T", "U"}, minute(8), minute(7))
        self.assertEqual(self.replace(over, said("TU"), at=20, idle="TU"), over)
        self.assertEqual(self.replace(over, said("TU"), at=20, idle="T"), (*over, use("U", "", 20)))


class EndTests(SynchronousTestCase):
    """
    Ends from outside.
    """

    def test_close(self) -> None:
        """
        Only what holds ends.
        """
        closed = closeUse((use("T", "", 1),), minute(2), "absent-in-snapshot")
        self.assertEqual((closed[0].closed, closed[0].cause), (minute(2), "absent-in-snapshot"))
        self.assertEqual(closeUse(closed, minute(3), "stated"), closed)
        self.assertEqual(closeUse((), minute(3), "stated"), ())

    def test_idle(self) -> None:
        """
        What is left goes on; other uses are not touched.
        """
        before = (use("TU", "V", 1),)
        self.assertEqual(
            idleUse(before, {"T", "V"}, minute(5), minute(4)),
            (
                StreamUse(
                    ("T", "U"), ("V",), minute(1), None, minute(5), minute(4), "session-stopped"
                ),
                use("U", "", 5, 4),
            ),
        )
        self.assertEqual(idleUse(before, {"X"}, minute(5), None), before)
        gone = idleUse(before, {"T", "U", "V"}, minute(5), None)
        self.assertEqual(len(gone), 1)
        self.assertEqual(idleUse(gone, {"T"}, minute(6), None), gone)
