"""
Where one node's capture ends and the next one's begins.

Packets that are missing within a run tell of themselves.  Where no run goes on from one
segment to the next, because the sender has begun anew or a node's journals are not
there, only the segments themselves say from when to when nobody has captured.
"""

from collections.abc import Collection, Iterator, Sequence

from attrs import frozen

__all__ = ["Extent", "Seam", "SegmentTimes", "seams", "uncaptured"]


@frozen
class SegmentTimes:
    """
    A segment, in samples of the recording.

    @ivar end: C{None} if nobody has said.
    """

    start: int
    end: int | None


@frozen
class Extent:
    """
    What there is of a run.

    @ivar first: the number of the first segment it is in; C{last}: of the last.
    @ivar begin: its first sample; C{end}: the one after its last.
    """

    first: int
    last: int
    begin: int
    end: int


@frozen
class Seam:
    """
    A time in which nothing was captured that is there now.

    @ivar after: the segment before it, or 0.
    @ivar before: the segment after it, or one more than there are.
    """

    begin: int
    end: int
    after: int
    before: int

    @property
    def lacks(self) -> bool:
        """
        Whether there was a segment whose journals are not there.
        """
        return self.before - self.after > 1


def seams(segments: Sequence[SegmentTimes], missing: Collection[int]) -> Iterator[Seam]:
    """
    @param missing: numbers, from 1, of the segments whose journals are not there.
    """
    begin, after, latest = None, 0, 0
    for number, each in enumerate(segments, 1):
        if number in missing:
            begin = each.start if begin is None else begin
            latest = max(each.start, each.end or each.start)
            continue
        if begin is not None:
            yield Seam(begin, each.start, after, number)
        begin, after = each.end, number
    if begin is not None and after < len(segments):
        yield Seam(begin, latest, after, len(segments) + 1)


def uncaptured(found: Sequence[Seam], runs: Sequence[Extent]) -> Iterator[tuple[int, int]]:
    """
    @param runs: of one stream.
    @return: begin and end of what its sequence numbers cannot tell to be missing.
    """
    for seam in found:
        earlier = [run for run in runs if run.first <= seam.after]
        later = [run for run in runs if run.last >= seam.before]
        if any(run.last >= seam.before for run in earlier):
            continue  # its sequence numbers do tell
        if not seam.lacks and not (earlier and later):
            continue
        begin = max([seam.begin, *(run.end for run in earlier)])
        end = min([seam.end, *(run.begin for run in later)])
        if end > begin:
            yield begin, end
