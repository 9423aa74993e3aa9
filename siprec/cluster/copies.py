"""
What is here of recordings that another node goes on with: copies of a part.  A copy
looks like a recording that still runs until its manifest says that it does not.
Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from attrs import define, field, frozen

from siprec.cluster.lacks import TAKEN_OVER, isFinal
from siprec.cluster.segmentfiles import OfferedFile, offers, removeCopy
from siprec.cluster.waiting import WaitingRecordings
from siprec.ids import NodeID, RecordingID
from siprec.session.archive import NoSuchRecording, locate
from siprec.session.manifest import (
    BadManifest,
    Manifest,
    formatTime,
    parseTime,
    readManifest,
    writeManifest,
)
from siprec.session.recovery import emptyManifest
from siprec.session.running import Orphan, RunningRecordings

__all__ = ["LEFT", "Copies", "Copy", "NoCopy", "keep", "reopen"]

#: The type of the event that says since when a copy is one.
LEFT = "leftToOther"


class NoCopy(Exception):
    """
    What is here is a recording in its own right, or another process's.
    """


@frozen
class Copy:
    """
    A copy that is kept until another node has fetched it.

    @ivar since: when it was marked, seconds since the epoch; C{None}: it is not, as
        it may lie in a directory that is shared with the node that goes on with it.
    """

    orphan: Orphan
    since: float | None


def keep(orphan: Orphan, nodes: Collection[str], now: float) -> float:
    """
    Have the manifest of a copy say that it is one.

    @param nodes: those whose copies may be here.
    @return: since when it says so.
    @raise NoCopy: it is none.
    @raise OSError: its manifest cannot be read or written.
    """
    try:
        manifest = readManifest(orphan.directory)
    except (FileNotFoundError, BadManifest):
        manifest = emptyManifest(orphan)
    try:
        return _kept(manifest, orphan, nodes, now)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise NoCopy(f"{orphan.directory}: the manifest is damaged: {error!r}") from error


def _kept(manifest: Manifest, orphan: Orphan, nodes: Collection[str], now: float) -> float:
    since = next((each["time"] for each in manifest["events"] if each["type"] == LEFT), None)
    if manifest["endReason"] == TAKEN_OVER and since is not None:
        return parseTime(since)
    if isFinal(manifest) or manifest["segments"][-1]["node"] not in nodes:
        raise NoCopy(orphan.directory)
    manifest["state"], manifest["endReason"] = "incomplete", TAKEN_OVER
    if since is None:
        since = formatTime(now)
        manifest["events"].append({"time": since, "type": LEFT})
    writeManifest(orphan.directory, manifest)
    return parseTime(since)


def reopen(directory: str) -> None:
    """
    Nobody has fetched a copy: have it look as its process left it, so that it can be
    recovered as a recording of its own.

    @raise OSError: its manifest cannot be written.
    """
    try:
        manifest = readManifest(directory)
    except (FileNotFoundError, BadManifest):
        return  # recovery makes a new one
    if manifest.get("endReason") == TAKEN_OVER:
        writeManifest(directory, {**manifest, "state": "recording", "endReason": None})


@define(eq=False, repr=False)
class Copies:
    """
    The copies of one node.  What blocks changes the disk only, so that it can run in
    another thread than that which changes C{kept} and C{offered}.

    @ivar kept: those that are marked in this process's life, by recording.
    @ivar offered: folders of those that were closed here since the start, and that
        nobody has fetched yet.
    """

    node: NodeID
    _marks: WaitingRecordings
    _running: RunningRecordings
    _now: Callable[[], float]
    kept: dict[RecordingID, Copy] = field(factory=dict, init=False)
    offered: dict[RecordingID, str] = field(factory=dict, init=False)

    def isThere(self) -> bool:
        """
        @return: whether the recordings directory is.
        """
        return self._marks.isThere()

    def find(self, recording: RecordingID) -> str | None:
        """
        @return: the folder of a recording, or C{None} if there is none.
        """
        with suppress(KeyError):
            return self.kept[recording].orphan.directory
        try:
            return locate(self._marks.root, recording)
        except NoSuchRecording:
            return None

    def isBeingWritten(self, recording: RecordingID) -> bool:
        """
        @return: whether the recording, which has no call here, is not closed yet, or
            is being recovered.
        """
        return recording not in self.kept and self._running.has(recording)

    def mark(self, recording: RecordingID, directory: str) -> Copy | None:
        """
        Another node asks for what is here of a recording: if it is a copy, it is kept
        from now on until that node has all of it.

        @return: the copy, or C{None} if it is none.
        @raise OSError: it cannot be marked.
        """
        copy = self.kept.get(recording)
        if copy is not None and copy.since is not None:
            return copy
        orphan = Orphan(self.node, recording, directory) if copy is None else copy.orphan
        try:
            since = keep(orphan, (self.node, orphan.node), self._now())
        except NoCopy:
            return copy
        # The next start finds it, should nobody come for it.
        self._running.add(recording, directory)
        return Copy(orphan, since)

    def forget(self, recording: RecordingID) -> None:
        """
        A recording that was left unfinished is another node's, in the same folder.

        @raise OSError: the next start will find it again.
        """
        self._running.remove(recording)

    def offers(self, directory: str) -> list[OfferedFile]:
        """
        See L{siprec.cluster.segmentfiles.offers}.
        """
        return offers(directory)

    def remove(self, recording: RecordingID, directory: str, held: dict[str, str]) -> None:
        """
        Remove a copy.

        @param held: what the other node has of it: SHA-256 by name.
        @raise NoCopy: it is none.
        @raise NotHeld: the other node has not all of it.
        @raise OSError: it cannot be removed.
        """
        copy = self.kept.get(recording)
        try:
            final = isFinal(readManifest(directory))
        except (FileNotFoundError, BadManifest, KeyError):
            final = False
        if copy is None or copy.since is None or final:
            raise NoCopy(directory)
        removeCopy(directory, held)
        self._marks.remove(recording)
        self._running.remove(recording)
