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
from contextlib import suppress

from attrs import define, field, frozen
from twisted.logger import Logger

from siprec.ids import NodeID, RecordingID, nodeID
from siprec.session.archive import NoSuchRecording, locate, recordingID
from siprec.session.model import NodeLease

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
        name = _named(os.uname().nodename, os.getpid())
        os.pwrite(descriptor, f"{name}\n".encode("utf-8", "replace"), 0)

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

    def has(self, recording: RecordingID) -> bool:
        """
        @return: whether a recording is marked as one that this node has not finished.
        """
        return os.path.exists(self._path(self.node, recording))

    def forget(self, node: NodeID, recording: RecordingID) -> None:
        """
        A recording is not another node's any more.  That node need not have
        ended: it may be frozen.
        """
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._path(node, recording))

    def isSharedWith(self, lease: NodeLease) -> bool:
        """
        @return: whether a process writes below the same recordings directory.
        """
        try:
            with open(self._path(f"{lease.nodeID}.lock"), "rb") as file:
                return file.read().decode("utf-8", "replace").strip() == _named(
                    lease.host, lease.pid
                )
        except OSError:
            return False

    def own(self) -> list[Orphan]:
        """
        @return: what an earlier life of this node left, oldest first (ids are
            UUIDv7).  To be called after L{acquire} and before the first L{add}.
        @raise OSError: the directory cannot be read.
        """
        return sorted(self._below(self.node), key=lambda orphan: orphan.id)

    def orphans(self) -> list[Orphan]:
        """
        What is left of processes that are gone: L{own}, and all that is L{left}
        by others, which is this node's from now on.

        @return: oldest first.
        @raise OSError: the directory cannot be read.
        """
        found = self.own()
        found += [each for each in self.left() if self.adopt(each)]
        return sorted(found, key=lambda orphan: orphan.id)

    def left(self) -> list[Orphan]:
        """
        @return: the recordings of other nodes on the same directory whose lock
            can be had, as their processes are gone; in no order.
        @raise OSError: the directory cannot be read.
        """
        found: list[Orphan] = []
        for entry in os.scandir(self._path()):
            try:
                node = nodeID(entry.name)
            except ValueError:
                continue  # not ours, whatever it is
            if node == self.node or not entry.is_dir():
                continue
            try:
                # A node that is just starting would be refused while we hold its lock.
                if os.listdir(entry.path) and self._lock(node):
                    self._unlock(node)
                    found += self._below(node)
            except OSError as error:
                # Another user's, perhaps: that one will have to clear it.
                log.error("{directory}: {error}", directory=entry.path, error=str(error))
        return found

    def adopt(self, orphan: Orphan) -> bool:
        """
        Make a recording that is L{left} this node's: no other process finds it
        too, and its own node can start again while it is being finished.

        @return: whether it is; else its node is back, or somebody was faster.
        """
        try:
            if not self._lock(orphan.node):
                return False
            try:
                os.rename(self._path(orphan.node, orphan.id), self._path(self.node, orphan.id))
            finally:
                self._unlock(orphan.node)
        except FileNotFoundError:
            return False
        except OSError as error:
            log.error("{recording}: marker: {error}", recording=orphan.id, error=str(error))
            return False
        return True

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


def _named(host: str, pid: int) -> str:
    return f"host {host}, process {pid}"
