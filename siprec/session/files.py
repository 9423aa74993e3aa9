"""
The files of one recording while it runs, written in worker threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.python.failure import Failure

from siprec.session.interfaces import IWorkers
from siprec.session.leavings import removeUnfinished
from siprec.session.manifest import (
    NAME,
    Manifest,
    isFinished,
    replaceFile,
    syncDirectory,
    writeManifest,
)
from siprec.session.model import RecordingSession
from siprec.session.running import RunningRecordings


def createRecording(
    recording: RecordingSession,
    manifest: Manifest,
    documents: list[tuple[str, bytes]],
    running: RunningRecordings,
) -> None:
    """
    Make a recording's directory with what is known at its start.  Blocks.

    @param documents: file names and bytes of the metadata that came with the
        INVITE.
    @raise OSError: it could not be made; nothing is left of it but folders of
        its date.
    """
    # The marker first: a crash may leave a marker without a directory, which
    # costs nothing, but never a directory that nobody remembers.
    try:
        running.add(recording.id, recording.directory)
        _makeDirectory(recording.directory)
    except BaseException:
        running.remove(recording.id)
        raise
    try:
        for name, data in documents:
            replaceFile(os.path.join(recording.directory, name), data)
        writeManifest(recording.directory, manifest, durable=False)
    except BaseException:
        removeRecording(recording, running)
        raise


def removeRecording(recording: RecordingSession, running: RunningRecordings) -> None:
    """
    Undo L{createRecording}.  Blocks.
    """
    if os.path.isdir(recording.directory):
        for name in os.listdir(recording.directory):
            os.unlink(os.path.join(recording.directory, name))
        os.rmdir(recording.directory)
    running.remove(recording.id)


def removeUnused(directory: str) -> bool:
    """
    Remove a recording's directory in which nothing is but a manifest.  Blocks.

    @return: whether it is gone.
    @raise OSError: it cannot be removed.
    """
    with suppress(FileNotFoundError):
        if not {NAME}.issuperset(os.listdir(directory)):
            return False
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, NAME))
        os.rmdir(directory)
    return True


def _makeDirectory(directory: str) -> None:
    try:
        os.mkdir(directory)  # of one day there are many
    except FileNotFoundError:
        os.makedirs(directory)


def _update(
    directory: str, documents: Mapping[str, bytes], manifest: Manifest, durable: bool, whole: bool
) -> None:
    # The manifest names the documents, so they come first.
    for name, data in documents.items():
        replaceFile(os.path.join(directory, name), data)
    if durable:
        for name in {*documents, *(each["file"] for each in manifest["metadata"])}:
            # One that somebody has deleted meanwhile is not ours to miss.
            with suppress(FileNotFoundError), open(os.path.join(directory, name), "rb") as file:
                os.fsync(file.fileno())
    writeManifest(directory, manifest, durable=durable, whole=whole)
    if durable:
        # Those of a process that had this recording before, and died.
        removeUnfinished(directory)
        syncDirectory(os.path.dirname(directory))


@define(eq=False, repr=False)
class RecordingFiles:
    """
    Manifest and metadata documents of a recording that runs.

    Writes of one recording never overtake each other, and while one is at work
    a burst of changes becomes one more: of the last.  What cannot be written is
    told to C{onError} and tried again with the next change.

    @ivar describe: gives the manifest as it is at the time of the write.
    @ivar isNew: whether the directory was made for a recording that another node
        had, and has what that one recorded on a disk of its own.
    @ivar unsynced: whether a power cut would lose what was written last.
    @ivar syncers: do the writes that wait for the disk.
    """

    directory: str
    _workers: IWorkers
    _describe: Callable[[], Manifest]
    _onError: Callable[[Failure], None]
    isNew: bool = False
    unsynced: bool = field(default=True, init=False)
    syncers: IWorkers = field(init=False)
    _kept: bool = field(default=False, init=False)
    _settled: bool = field(default=False, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _pending: bool = field(default=False, init=False)
    _unwritten: dict[str, bytes] = field(factory=dict, init=False)

    @syncers.default
    def _syncers(self) -> IWorkers:
        return self._workers

    def manifestChanged(self) -> None:
        """
        Write the manifest soon, unless it is L{settled}.
        """
        if not (self._pending or self._settled):
            self._pending = True
            self._turn.run(self._writeChanges).addErrback(self._onError)

    def writeDocument(self, name: str, data: bytes) -> None:
        """
        Write a document as it came, and the manifest.
        """
        self._unwritten[name] = data
        self.manifestChanged()

    def finish(
        self,
        manifest: Manifest,
        durable: bool = True,
        files: Mapping[str, bytes] | None = None,
    ) -> Deferred[None]:
        """
        Write a manifest after all else.

        @param durable: it, its documents and their names must outlive a power cut.
        @param files: further ones, by name, that are written before it.
        @return: fires when it is on the disk, or fails with C{OSError}.
        """
        return self._turn.run(self._write, manifest, durable, files or {})

    def settled(self) -> None:
        """
        All is as it will stay: nothing more is written, and nobody is kept in memory for it.
        """
        self._settled, self._describe = True, dict

    def syncing(self) -> None:
        """
        What was written until now is about to be handed to the disk.
        """
        self.unsynced, self._kept = False, True

    def discard(self) -> Deferred[bool]:
        """
        The recording does not go on here after all: remove its directory, after all
        that is being written, if it L{isNew} and nothing was recorded into it.

        @return: fires with whether it is gone, or fails with C{OSError}.
        """
        if not self.isNew:
            return succeed(False)
        return self._turn.run(self._workers.run, removeUnused, self.directory)

    def _writeChanges(self) -> Deferred[None]:
        # From here on a change is too late for this write and makes another.
        self._pending = False
        return succeed(None) if self._settled else self._write(self._describe(), False, {})

    def _write(
        self, manifest: Manifest, durable: bool, files: Mapping[str, bytes]
    ) -> Deferred[None]:
        documents = dict(self._unwritten)

        def written(_: None) -> None:
            for name in documents:
                del self._unwritten[name]
            self.unsynced = not durable
            self._kept = self._kept or durable
            if isFinished(manifest):
                # What happens to the node after it is none of the recording's business, and
                # the next manifest would not have what the rendering has found.
                self.settled()

        every = {**documents, **files}
        workers = self.syncers if durable else self._workers
        done = workers.run(_update, self.directory, every, manifest, durable, self._kept)
        return done.addCallback(written)
