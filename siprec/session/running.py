"""
Which recordings are not finished, on disk, so that a start after a crash finds
them without looking through the archive.

Below the recordings directory::

    .running/<NodeID>.lock      locked (flock) by the process that is the node
    .running/<NodeID>/<id>      one file a recording, holds its directory's path

The kernel drops the lock with the process, however it dies: what lies below a
name whose lock can be had is nobody's any more.  This is plain files and
blocks; call it from a worker thread once calls are running.
"""

from __future__ import annotations

import fcntl
import os

from attrs import define, field, frozen
from twisted.logger import Logger

from siprec.ids import NodeID, RecordingID, nodeID
from siprec.session.archive import NoSuchRecording, locate, recordingID

log = Logger()

_FOLDER = ".running"


class NodeInUse(Exception):
    """
    Another live process is this node.

    @ivar holder: what that process wrote of itself: host and process id.
    """

    def __init__(self, node: NodeID, holder: str) -> None:
        super().__init__(f"node {node!r} is already running: {holder or 'no details'}")
        self.node = node
        self.holder = holder


@frozen
class Orphan:
    """
    A recording that a process left unfinished.

    @ivar node: who recorded it.
    @ivar directory: absolute path of the recording's directory.
    """

    node: NodeID
    id: RecordingID
    directory: str


@define(eq=False, repr=False)
class RunningRecordings:
    """
    The unfinished recordings of one node below one recordings directory.

    @ivar root: the recordings directory, absolute.
    """

    root: str
    node: NodeID
    _locks: dict[NodeID, int] = field(factory=dict, init=False)

    def acquire(self) -> None:
        """
        Become this node.

        @raise NodeInUse: another live process is.
        @raise OSError: the directory cannot be made or written.
        """
        os.makedirs(self._path(self.node), exist_ok=True)
        if not self._lock(self.node):
            with open(self._path(f"{self.node}.lock")) as file:
                raise NodeInUse(self.node, file.read().strip())
        descriptor = self._locks[self.node]
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"host {os.uname().nodename}, process {os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """
        Stop being this node.
        """
        for node in list(self._locks):
            self._unlock(node)

    def add(self, recording: RecordingID, directory: str) -> None:
        """
        @param directory: the recording's, absolute and below C{root}.
        @raise OSError: it could not be written down.
        """
        with open(self._path(self.node, recording), "wb") as file:
            file.write(os.fsencode(os.path.relpath(directory, self.root)))

    def remove(self, recording: RecordingID) -> None:
        """
        The recording is finished; removing it twice is no error.
        """
        try:
            os.unlink(self._path(self.node, recording))
        except FileNotFoundError:
            return

    def orphans(self) -> list[Orphan]:
        """
        Recordings of processes that are gone: of this node's earlier life, and
        of other nodes on the same directory whose lock can be had.  The latter
        are this node's from now on: no other process finds them too, and their
        own node can start again while they are being finished.  To be called
        after L{acquire} and before the first L{add}.

        @return: oldest first (ids are UUIDv7).
        @raise OSError: the directory cannot be read.
        """
        found = self._below(self.node)
        for entry in os.scandir(self._path()):
            try:
                node = nodeID(entry.name)
            except ValueError:
                continue  # not ours, whatever it is
            if node == self.node or not entry.is_dir():
                continue
            try:
                found += self._adopted(node)
            except OSError as error:
                # Another user's, perhaps: that one will have to clear it.
                log.error("{directory}: {error}", directory=entry.path, error=str(error))
        return sorted(found, key=lambda orphan: orphan.id)

    def _adopted(self, node: NodeID) -> list[Orphan]:
        # A node that is just starting would be refused while we hold its lock.
        if not os.listdir(self._path(node)) or not self._lock(node):
            return []
        try:
            found = self._below(node)
            for each in found:
                os.rename(self._path(node, each.id), self._path(self.node, each.id))
            return found
        finally:
            self._unlock(node)

    def _below(self, node: NodeID) -> list[Orphan]:
        found = []
        for name in os.listdir(self._path(node)):
            try:
                identity = recordingID(name)
                directory = self._directory(node, identity)
            except NoSuchRecording:
                continue  # not ours, whatever it is
            except OSError as error:
                log.error("{recording}: marker: {error}", recording=name, error=str(error))
                continue
            if directory is None:
                os.unlink(self._path(node, name))
            else:
                found.append(Orphan(node, identity, directory))
        return found

    def _directory(self, node: NodeID, recording: RecordingID) -> str | None:
        """
        @return: what a marker says, or C{None} if there is no such directory
            below the root.
        """
        with open(self._path(node, recording), "rb") as file:
            relative = os.fsdecode(file.read().strip(b"\0\n "))
        if not relative:
            # Its writer died within its first write, and there is no directory
            # yet; or the power went before this was on the disk.
            try:
                return locate(self.root, recording)
            except NoSuchRecording:
                return None
        directory = os.path.normpath(os.path.join(self.root, relative))
        return directory if directory.startswith(os.path.join(self.root, "")) else None

    def _path(self, *parts: str) -> str:
        return os.path.join(self.root, _FOLDER, *parts)

    def _lock(self, node: NodeID) -> bool:
        descriptor = os.open(self._path(f"{node}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:  # a file system without locks
            os.close(descriptor)
            raise
        self._locks[node] = descriptor
        return True

    def _unlock(self, node: NodeID) -> None:
        os.close(self._locks.pop(node))
