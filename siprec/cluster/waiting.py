"""
Which recordings wait for files of other nodes, on disk, so that a restart does not
forget them.

Below the recordings directory::

    .missing/root       a name of this directory, made once
    .missing/<id>       one file a recording: JSON, see L{Waiting}

Nodes that find the same name share the directory: neither has anything to fetch from
the other.  Everything here blocks.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from siprec.ids import NodeID, RecordingID, nodeID
from siprec.session.archive import NoSuchRecording, recordingID
from siprec.session.manifest import syncDirectory

__all__ = ["Waiting", "WaitingRecordings"]

log = Logger()

_FOLDER, _ROOT = ".missing", "root"
_ROOT_NAME = re.compile(r"[0-9a-f]{32}")


@define(eq=False)
class Waiting:
    """
    A recording that has other nodes to ask.

    @ivar directory: absolute.
    @ivar ask: nodes that may have files of it.
    @ivar told: nodes from which all was fetched, with the number of segments that the
        recording had then.
    """

    id: RecordingID
    directory: str
    ask: set[NodeID] = field(factory=set)
    told: dict[NodeID, int] = field(factory=dict)

    def learn(self, node: NodeID, known: bool, told: Mapping[NodeID, int], count: int) -> None:
        """
        All that a node has was fetched.

        @param known: whether it has anything.
        @param told: what it has fetched itself.
        @param count: how many segments the recording has.
        """
        found = {each: min(number, count) for each, number in told.items()}
        if known:
            found[node] = count
        for each, number in found.items():
            self.told[each] = max(number, self.told.get(each, 0))


@define(eq=False, repr=False)
class WaitingRecordings:
    """
    The marks below one recordings directory.

    @ivar root: the recordings directory, absolute.
    @ivar name: of that directory; empty before L{open}.
    """

    root: str
    name: str = field(default="", init=False)

    def open(self) -> None:
        """
        @raise OSError: the folder cannot be made or written.
        """
        os.makedirs(self._path(), exist_ok=True)
        if not self._readName():
            draft = self._path(f"{_ROOT}.{secrets.token_hex(8)}")
            self._write(draft, secrets.token_hex(16).encode())
            try:
                # Of two that come at the same time one is first.
                with suppress(FileExistsError):
                    os.link(draft, self._path(_ROOT))
            finally:
                os.unlink(draft)
            syncDirectory(self._path())
        self.name = self._readName()
        if not self.name:
            raise OSError(f"{self._path(_ROOT)} is damaged")

    def isThere(self) -> bool:
        """
        @return: whether this is the directory still that was opened, rather than
            the place where it was mounted.
        """
        return bool(self.name) and self._readName() == self.name

    def save(self, waiting: Waiting) -> None:
        """
        @raise OSError: it cannot be written.
        """
        value = {
            "directory": os.path.relpath(waiting.directory, self.root),
            "ask": sorted(waiting.ask),
            "told": waiting.told,
        }
        path = self._path(waiting.id)
        self._write(f"{path}.new", json.dumps(value).encode("utf-8", "surrogateescape"))
        os.replace(f"{path}.new", path)
        syncDirectory(self._path())

    def remove(self, recording: RecordingID) -> None:
        """
        It waits for nothing any more; removing it twice is no error.
        """
        with suppress(FileNotFoundError):
            os.unlink(self._path(recording))

    def load(self) -> list[Waiting]:
        """
        @return: those whose directory is there, oldest first.  What cannot be read
            is told in the log and left.
        @raise OSError: the folder cannot be read.
        """
        found = []
        for name in sorted(os.listdir(self._path())):
            try:
                waiting = self._load(recordingID(name))
            except NoSuchRecording:
                continue
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                log.error("{recording}: mark: {error}", recording=name, error=repr(error))
                continue
            if os.path.isdir(waiting.directory):
                found.append(waiting)
            else:
                # Somebody has deleted the recording.
                self.remove(waiting.id)
        return found

    def _load(self, recording: RecordingID) -> Waiting:
        with open(self._path(recording), "rb") as file:
            value: dict[str, Any] = json.loads(file.read().decode("utf-8", "surrogateescape"))
        directory = os.path.normpath(os.path.join(self.root, value["directory"]))
        if not directory.startswith(os.path.join(self.root, "")):
            raise ValueError(f"{directory} is not below {self.root}")
        return Waiting(
            recording,
            directory,
            {nodeID(each) for each in value["ask"]},
            {nodeID(each): int(count) for each, count in value["told"].items()},
        )

    def _readName(self) -> str:
        try:
            with open(self._path(_ROOT), "rb") as file:
                name = file.read(100).decode("ascii", "replace")
        except FileNotFoundError:
            return ""
        return name if _ROOT_NAME.fullmatch(name) else ""

    def _path(self, *parts: str) -> str:
        return os.path.join(self.root, _FOLDER, *parts)

    def _write(self, path: str, data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
