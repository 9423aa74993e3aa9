"""
Recordings on disk: C{<root>/YYYY/MM/DD/<recording id>/recording.json}.

The date is the UTC date of the start.  The ids are UUIDs of version 7, whose
text sorts by time, so both one recording and the newest ones are found by
names alone; nothing here needs an index that could be wrong.
"""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from attrs import frozen

from siprec.ids import RecordingID
from siprec.session.manifest import NAME, BadManifest, Manifest, readManifest

# RFC 9562 section 5.7: 48 bits of milliseconds, version 7, variant 10.
_RECORDING_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_CURSOR = re.compile(r"(\d{4})-(\d\d)-(\d\d)\.(.+)", re.ASCII)

_FOUR_DIGITS = re.compile(r"\d{4}", re.ASCII)
_TWO_DIGITS = re.compile(r"\d\d", re.ASCII)

#: How many manifests one call of L{newest} reads at most.
MAX_READ = 2000


class NoSuchRecording(LookupError):
    """
    There is no recording of this name.
    """


class BadCursor(ValueError):
    """
    This is not a cursor that L{newest} gave.
    """


@frozen
class Page:
    """
    A part of the archive, newest recording first.

    @ivar recordings: the manifests that were asked for.
    @ivar cursor: where the next page begins, or C{None} at the end of the
        archive.  A page can be short, or empty, and still have a next one.
    @ivar unreadable: folders on the way whose manifest cannot be read, with
        the reason.
    """

    recordings: list[Manifest]
    cursor: str | None
    unreadable: list[tuple[str, str]]


def recordingID(text: str) -> RecordingID:
    """
    @raise NoSuchRecording: no recording can have this name, so it must not
        become part of a path.
    """
    if not _RECORDING_ID.fullmatch(text):
        raise NoSuchRecording(text)
    return RecordingID(text)


def directoryOf(root: str, recording: RecordingID, startTime: float) -> str:
    """
    @param startTime: seconds since the Unix epoch.
    @return: where this recording belongs.
    """
    return _directory(root, datetime.fromtimestamp(startTime, UTC).date(), recording)


def locate(root: str, recording: str) -> str:
    """
    Find a recording's folder by the time inside its id.

    @raise NoSuchRecording: there is none, or the text is no recording's id.
    """
    checked = recordingID(recording)
    try:
        made = datetime.fromtimestamp(int(checked[:8] + checked[9:13], 16) / 1000, UTC).date()
        # The id is made a moment before or after the start of the recording,
        # and clocks are set: midnight may lie between the two.
        days = [made, made - timedelta(1), made + timedelta(1)]
    except (OverflowError, ValueError):  # after the year 9999
        raise NoSuchRecording(recording) from None
    for day in days:
        directory = _directory(root, day, checked)
        if os.path.isfile(os.path.join(directory, NAME)):
            return directory
    raise NoSuchRecording(recording)


def newest(
    root: str,
    cursor: str | None,
    limit: int,
    predicate: Callable[[Manifest], bool],
    maxRead: int = MAX_READ,
) -> Page:
    """
    Walk the archive from the newest recording towards the oldest.

    @param cursor: of the page before; C{None} begins with the newest.
    @param limit: how many recordings to give at most; above 0.
    @param predicate: whether a recording is wanted.
    @param maxRead: how many manifests to read at most, so that a question
        nothing matches costs no more than this.
    @raise BadCursor: C{cursor} is not one of ours.
    @raise OSError: the archive cannot be read.
    """
    recordings: list[Manifest] = []
    unreadable: list[tuple[str, str]] = []
    last = None if cursor is None else _parseCursor(cursor)
    position = last
    for count, (day, name) in enumerate(_walk(root, last)):
        if len(recordings) == limit or count == maxRead:
            return Page(recordings, _cursor(position), unreadable)
        position = (day, name)
        directory = _directory(root, day, name)
        try:
            manifest = readManifest(directory)
        except FileNotFoundError:
            # The folder is being made, or was deleted while we walked.
            continue
        except (OSError, BadManifest) as error:
            unreadable.append((directory, str(error)))
            continue
        if predicate(manifest):
            recordings.append(manifest)
    return Page(recordings, None, unreadable)


def _directory(root: str, day: date, recording: RecordingID) -> str:
    return os.path.join(root, f"{day.year:04}", f"{day.month:02}", f"{day.day:02}", recording)


def _cursor(position: tuple[date, RecordingID] | None) -> str | None:
    return None if position is None else f"{position[0].isoformat()}.{position[1]}"


def _parseCursor(text: str) -> tuple[date, RecordingID]:
    match = _CURSOR.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        return date(int(match[1]), int(match[2]), int(match[3])), recordingID(match[4])
    except (ValueError, NoSuchRecording):
        raise BadCursor(f"{text!r} is not a cursor of this archive") from None


def _walk(root: str, after: tuple[date, RecordingID] | None) -> Iterator[tuple[date, RecordingID]]:
    """
    @return: every recording that is older than C{after}, newest first.
    """
    for day, path in _days(root, None if after is None else after[0]):
        for name in _names(path, _RECORDING_ID):
            if after is None or (day, name) < after:
                yield day, RecordingID(name)


def _days(root: str, latest: date | None) -> Iterator[tuple[date, str]]:
    for year in _names(root, _FOUR_DIGITS):
        if latest is not None and int(year) > latest.year:
            continue
        for month in _names(os.path.join(root, year), _TWO_DIGITS):
            for day in _names(os.path.join(root, year, month), _TWO_DIGITS):
                try:
                    found = date(int(year), int(month), int(day))
                except ValueError:  # 02/31 is no folder of ours
                    continue
                if latest is None or found <= latest:
                    yield found, os.path.join(root, year, month, day)


def _names(path: str, pattern: re.Pattern[str]) -> list[str]:
    """
    @return: the names in a folder that the pattern matches, last one first.
    """
    try:
        names = os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        # No recording yet, or the folder was deleted while we walked; other
        # things may lie in the archive too.
        return []
    return sorted(filter(pattern.fullmatch, names), reverse=True)


__all__ = [
    "MAX_READ",
    "BadCursor",
    "NoSuchRecording",
    "Page",
    "directoryOf",
    "locate",
    "newest",
    "recordingID",
]
