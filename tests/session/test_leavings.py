"""
Tests of L{siprec.session.leavings}: what a kill or a power cut can leave, as folders that
were prepared, and what the next start makes of them.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Mapping

from attrs import frozen
from twisted.logger import capturedLogs

from siprec.media.journal import journalEnd
from siprec.session.leavings import cutJournals, lastManifest, unlistedDocuments
from siprec.session.manifest import NAME, BadManifest, describe, readManifest, writeManifest
from siprec.session.model import Segment
from siprec.session.running import RunningRecordings
from tests.render.journals import audioOf
from tests.session.recordings import NODE, OTHER, START, identity, session
from tests.session.test_recovery import RecoveryTestCase

_JOURNAL = "1-0.rtpdump"
_PACKETS = 50
_RECORD = 8 + 12 + 160  # of a packet of G.711
_DOCUMENT = (
    b"<recording xmlns='urn:ietf:params:xml:ns:recording:1'>"
    b"<datamode>complete</datamode></recording>"
)


def _append(path: str, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def _cut(path: str, octets: int) -> None:
    os.truncate(path, os.path.getsize(path) - octets)


@frozen
class State:
    """
    What a crash left.

    @ivar damage: makes it, of a good folder of a running recording.
    @ivar packets: of the first stream that are there afterwards.
    @ivar callID: whether the manifest still knows the call.
    @ivar events: types in the manifest, in order.
    """

    damage: Callable[[str], None]
    packets: int = _PACKETS
    callID: bool = True
    events: tuple[str, ...] = ("recovered",)


def _onJournal(change: Callable[[str], None]) -> Callable[[str], None]:
    return lambda directory: change(f"{directory}/{_JOURNAL}")


def _manifest(data: bytes | None, new: bytes | None = None) -> Callable[[str], None]:
    """
    @param data: of the manifest, C{None}: there is none; C{new}: of the one being
        written, where an empty one means that as it was.
    """

    def damage(directory: str) -> None:
        path = f"{directory}/{NAME}"
        with open(path, "rb") as file:
            before = file.read()
        os.unlink(path)
        if data is not None:
            _append(path, data)
        if new is not None:
            _append(f"{path}.new", new or before)

    return damage


def _leave(*names: str) -> Callable[[str], None]:
    def damage(directory: str) -> None:
        for name in names:
            _append(f"{directory}/{name}", b"half")

    return damage


def _zeroTheEnd(path: str) -> None:
    _cut(path, 100)
    _append(path, bytes(4096))


_CUT = ("recovered", "journalCut")
_LOST = ("manifestLost", "recovered")

_STATES: Mapping[str, State] = {
    "nothing wrong": State(lambda directory: None),
    # Journals.
    "a torn record": State(_onJournal(lambda path: _cut(path, 100)), _PACKETS - 1, events=_CUT),
    "a torn record header": State(
        _onJournal(lambda path: _cut(path, _RECORD - 3)), _PACKETS - 1, events=_CUT
    ),
    "a torn file header": State(
        _onJournal(lambda path: os.truncate(path, 20)), 0, events=("journalUnreadable", *_CUT)
    ),
    "an empty journal": State(
        _onJournal(lambda path: os.truncate(path, 0)), 0, events=("journalUnreadable", "recovered")
    ),
    "zeros at the end": State(_onJournal(lambda path: _append(path, bytes(8192))), events=_CUT),
    "zeros after a torn record": State(
        _onJournal(_zeroTheEnd),
        # The record has its length, of zeros now; nobody can tell.
        _PACKETS,
        events=_CUT,
    ),
    "zeros within the file": State(
        _onJournal(
            lambda path: _append(path, bytes(4096) + struct.pack(">HHI", 20, 12, 990) + bytes(12))
        ),
        events=_CUT,
    ),
    "records of weeks to come": State(
        _onJournal(
            lambda path: _append(path, struct.pack(">HHI", 20, 12, 0xFFFFFF00) + b"\x80" * 12)
        ),
        events=_CUT,
    ),
    "records longer than their packets": State(
        _onJournal(lambda path: _append(path, struct.pack(">HHI", 108, 7, 990) + b"\x80" * 100)),
        events=_CUT,
    ),
    "noise": State(_onJournal(lambda path: _append(path, b"\xff\xfe\xfd\xfc" * 1000)), events=_CUT),
    "no journal": State(_onJournal(os.unlink), 0),
    # The manifest.
    "no manifest": State(_manifest(None), callID=False, events=_LOST),
    "an empty manifest": State(_manifest(b""), callID=False, events=_LOST),
    "half a manifest": State(_manifest(b'{"schema": 1, "id'), callID=False, events=_LOST),
    "a manifest of zeros": State(_manifest(bytes(900)), callID=False, events=_LOST),
    "a manifest not renamed yet": State(_manifest(None, b"")),
    "an empty one, and the next": State(_manifest(b"", b"")),
    "no manifest, and half of the next": State(
        _manifest(None, b'{"schema"'), callID=False, events=_LOST
    ),
    "half of the next manifest": State(_leave(f"{NAME}.new")),
    # The rest.
    "half a document": State(_leave("metadata-2.xml.new")),
    "half the audio": State(
        _leave(".audio.wav.77-0a1b.unfinished", ".audio.peaks.json.77-1.unfinished")
    ),
    "a track with a name": State(_leave("tmpab12_xyz")),
    "audio without a manifest of it": State(_leave("audio.wav")),
}


class StateTests(RecoveryTestCase):
    """
    Every state that a crash can leave.
    """

    def test_states(self) -> None:
        """
        Whatever a crash left of a running recording, afterwards it is incomplete and says
        why; all packets before the damage are in audio that can be played; its journals
        can be read to the end; nothing unfinished lies about; and a second start changes
        nothing.
        """
        for number, (name, state) in enumerate(_STATES.items()):
            directory = self.leave(number, journals=(_JOURNAL,))
            _append(f"{directory}/metadata-1.xml", _DOCUMENT)
            state.damage(directory)
            if os.path.exists(f"{directory}/{_JOURNAL}"):
                os.utime(f"{directory}/{_JOURNAL}", (START + 1, START + 1))
            with capturedLogs():
                manifest = self.recovered(directory)
            self.assertEqual(manifest["state"], "incomplete", name)
            self.assertEqual(tuple(self.events(manifest)), state.events, name)
            self.assertEqual(manifest["callID"], f"call-{number}" if state.callID else None, name)
            counted = [each["packets"] for each in manifest["streams"] if each["index"] == 0]
            self.assertEqual(sum(counted), state.packets, name)
            self.assertLessEqual(manifest["duration"], 2.0, name)
            self.assertEqual(audioOf(directory).shape[1] > 0, state.packets > 0, name)
            self.assertEqual(self.markers(), [], name)
            self.check(directory, name)
            before = self.digests(directory)
            self.running.add(identity(number), directory)
            self.recover()
            self.assertEqual(self.digests(directory), before, name)

    def check(self, directory: str, name: str) -> None:
        """
        Nothing lies about but what belongs there.
        """
        names = set(os.listdir(directory))
        known = {NAME, _JOURNAL, "metadata-1.xml", "audio.wav"}
        self.assertLessEqual(names, known, name)
        if _JOURNAL in names:
            _, end = journalEnd(f"{directory}/{_JOURNAL}")
            self.assertEqual(os.path.getsize(f"{directory}/{_JOURNAL}"), end, name)

    def digests(self, directory: str) -> dict[str, str]:
        """
        @return: of each file.
        """
        found = {}
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()
        return found

    def test_finished(self) -> None:
        """
        Of what was finished nothing changes, whether its marker is gone or not.
        """
        directory = self.leave(journals=(_JOURNAL,))
        self.recovered(directory)
        before = self.digests(directory)
        self.running.add(identity(), directory)
        self.recover()
        self.assertEqual(self.digests(directory), before)

    def test_ofLiveNode(self) -> None:
        """
        What another node that lives writes on the same directory is not touched.
        """
        other = RunningRecordings(self.root, OTHER)
        other.acquire()
        self.addCleanup(other.release)
        recording = session(self.root, 5)
        os.makedirs(recording.directory)
        other.add(recording.id, recording.directory)
        writeManifest(recording.directory, describe(recording))
        _append(f"{recording.directory}/{_JOURNAL}", b"#!rtpplay1.0 ")
        _append(f"{recording.directory}/{NAME}.new", b"half")
        before = self.digests(recording.directory)
        self.recover()
        self.assertEqual(self.digests(recording.directory), before)
        other.release()
        with capturedLogs():
            self.recover()
        self.assertEqual(readManifest(recording.directory)["state"], "incomplete")
        self.assertNotIn(f"{NAME}.new", os.listdir(recording.directory))


class DocumentTests(RecoveryTestCase):
    """
    Documents that came after the last manifest.
    """

    def test_listed(self) -> None:
        """
        They are in the manifest afterwards.
        """
        directory = self.leave()
        for number in (1, 2, 10):
            _append(f"{directory}/metadata-{number}.xml", _DOCUMENT)
        _append(f"{directory}/metadata-3.xml", b"<half")
        manifest = self.recovered(directory)
        found = [(each["file"], each["status"]) for each in manifest["metadata"]]
        self.assertEqual([name for name, _ in found], [f"metadata-{n}.xml" for n in (1, 2, 3, 10)])
        self.assertEqual(manifest["metadata"][1]["mode"], "complete")

    def test_unreadable(self) -> None:
        """
        One that cannot be read is not.
        """
        directory = self.leave()
        os.makedirs(f"{directory}/metadata-2.xml")
        with capturedLogs() as logs:
            self.assertEqual(unlistedDocuments(directory, readManifest(directory)), [])
        self.assertEqual([each["file"] for each in logs], ["metadata-2.xml"])


class PartTests(RecoveryTestCase):
    """
    The parts by themselves.
    """

    def test_noManifest(self) -> None:
        """
        Without either manifest it is told which one is bad.
        """
        directory = self.leave()
        with open(f"{directory}/{NAME}", "w"):
            pass
        self.assertRaises(BadManifest, lastManifest, directory)
        os.unlink(f"{directory}/{NAME}")
        self.assertRaises(FileNotFoundError, lastManifest, directory)

    def test_notJournals(self) -> None:
        """
        What is no journal, or is gone, is left alone.
        """
        directory = self.leave()
        _append(f"{directory}/1-7.rtpdump", b"something else")
        with capturedLogs() as logs:
            self.assertEqual(cutJournals(directory, ["1-7.rtpdump", "1-8.rtpdump"]), [])
        self.assertEqual(len(logs), 2)

    def test_closedSegments(self) -> None:
        """
        The journals of a segment that was closed are not looked at: another node may
        just bring them.
        """
        segments = (
            Segment(OTHER, 1, START, START + 1, ("1-0.rtpdump",)),
            Segment(NODE, 2, START + 1),
        )
        directory = self.leave(journals=("1-0.rtpdump", "2-0.rtpdump"), segments=segments)
        for name in ("1-0.rtpdump", "2-0.rtpdump"):
            _append(f"{directory}/{name}", b"\0\0\0")
        manifest = self.recovered(directory)
        cut = [each for each in manifest["events"] if each["type"] == "journalCut"]
        self.assertEqual([(each["file"], each["octets"]) for each in cut], [("2-0.rtpdump", 3)])
