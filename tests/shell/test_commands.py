"""
Tests of L{siprec.shell.commands}, L{siprec.shell.details} and L{siprec.shell.views}.
"""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from zope.interface.verify import verifyObject

from siprec.shell.command import Command
from siprec.shell.commands import namespace
from siprec.shell.interfaces import ICaptureState, IShellNode
from siprec.testing.fakes import FakeCapturedStream
from tests.shell.kit import ShellNode
from tests.uas.kit import PEER, RecorderTestCase, Src


class _Store:
    """
    A store that counts.
    """

    def stats(self) -> Deferred[dict[str, Any]]:
        """
        See L{siprec.store.interfaces.ISessionStore}.
        """
        return succeed({"sessions": 3, "lag": 0.25})


class CommandTests(RecorderTestCase):
    """
    The shell shows what the recorder does.
    """

    def setUp(self) -> None:
        super().setUp()
        self.node = ShellNode(self.house)
        self.names = namespace(self.node, self.house.now)

    def run_(self, name: str, *args: object) -> str:
        """
        @return: what a command shows.
        """
        command: Any = self.names[name]
        result = command(*args)
        if isinstance(result, Deferred):
            result = self.successResultOf(result)
        return repr(result)

    def test_kit(self) -> None:
        """
        The node of these tests is one.
        """
        verifyObject(IShellNode, self.node)
        verifyObject(ICaptureState, self.node.capture)

    def test_sessions(self) -> None:
        """
        Each recording is a row: id, state, duration, caller, streams, packets
        and when the last one came.
        """
        self.assertEqual(self.run_("sessions"), "nothing is recorded")
        self.src.call()
        self.house.wait(62)
        first, second = self.house.capture.attached
        first.packets, second.packets, second.lastArrival = 40, 2, self.house.now() - 1.5
        head, row = self.run_("sessions").splitlines()
        self.assertEqual(head.split(), ["id", "state", "for", "from", "streams", "packets", "last"])
        [identity] = self.house.service.recordings
        expected = [identity, "recording", "0:01:02", f"<sip:src@{PEER}>;tag=theirs"]
        self.assertEqual(row.split(), [*expected, "2", "42", "1.5", "s"])

    def test_finishing(self) -> None:
        """
        A recording whose audio is being made is shown as such, and does not
        grow older.
        """
        self.house.renderer.waiting = []
        self.src.call()
        self.house.wait(5)
        self.src.bye()
        self.house.wait(30)
        row = self.run_("sessions").splitlines()[1]
        self.assertIn("finishing  0:00:05", row)
        for done in self.house.renderer.waiting:
            done.callback({"duration": 0, "streams": [], "gaps": [], "events": [], "audio": None})

    def test_hostileCaller(self) -> None:
        """
        A caller's name cannot steer the terminal.
        """
        self.src.invite(("From", f'"\x9b2J" <sip:src@{PEER}>;tag=theirs'))
        self.assertIn('"\\x9b2J" <sip:src', self.run_("sessions"))

    def test_session(self) -> None:
        """
        One recording is found by its id, a part of it or the Call-ID, and all
        about it is shown.
        """
        self.src.call()
        [live] = self.house.service.recordings.values()
        live.event("odd", reason="why")
        identity = live.recording.id
        text = self.run_("session", identity)
        for each in (identity[:30], identity[-6:], live.recording.callID):
            self.assertEqual(self.run_("session", each), text)
        for part in (
            *(
                "state                   recording",
                "2026-01-05 09:00:00 UTC",
                live.recording.directory,
            ),
            *("dialog\n", f"UDP from {PEER}:5060", "acknowledged      yes", "target"),
            *("participants\n", "Ann", "streams\n", "PCMU/8000", "segments\n", "1-0.rtpdump"),
            *("metadata\n", "metadata-1.xml", "events\n", "odd   reason=why"),
        ):
            self.assertIn(part, text)

    def test_pauseAndResume(self) -> None:
        """
        A recording is paused in the name of who is logged in, and resumed; both show it.
        """
        self.names = namespace(self.node, self.house.now, "ann (SHA256:x)")
        self.src.call()
        [identity] = self.house.service.recordings
        told = self.run_("pause", identity[-6:], "card")
        self.assertIn("is paused since 2026-01-05T09:00:00.000000Z by manhole: ann", told)
        self.assertIn(" paused ", self.run_("sessions"))
        text = self.run_("session", identity)
        self.assertIn("since 2026-01-05 09:00:00 UTC by manhole: ann (SHA256:x): card", text)
        self.assertTrue(all(each.muted for each in self.house.capture.attached))
        self.assertEqual(self.run_("resume", identity), f"{identity} is recorded")
        self.assertNotIn("paused", self.run_("sessions"))
        self.assertFalse(any(each.muted for each in self.house.capture.attached))

    def test_notPaused(self) -> None:
        """
        What cannot be paused is said: it does not run here, or not any more, or the reason
        cannot be told.
        """
        self.assertIn("no recording 'x' runs here", self.run_("pause", "x"))
        self.house.renderer.waiting = []
        self.src.call()
        [identity] = self.house.service.recordings
        self.assertIn("printable", self.run_("pause", identity, "\x1b"))
        self.assertIn("by manhole", self.run_("pause", identity))
        self.assertIn("no reason given", self.run_("session", identity))
        self.src.bye()
        self.assertEqual(self.run_("pause", identity), f"{identity} does not run here any more")
        self.house.wait(1)
        for done in self.house.renderer.waiting:
            done.callback({"duration": 0, "streams": [], "gaps": [], "events": [], "audio": None})

    def test_sessionWithoutDialog(self) -> None:
        """
        Once the dialog is over, nothing is said of it, nor of streams that
        were given up but that they ended.
        """
        self.house.renderer.waiting = []
        self.src.call()
        [live] = self.house.service.recordings.values()
        live.dropStream(1)
        self.src.bye()
        text = self.run_("session", live.recording.id)
        self.assertNotIn("dialog\n", text)
        self.assertIn("ended", text)
        for done in self.house.renderer.waiting:
            done.callback({"duration": 0, "streams": [], "gaps": [], "events": [], "audio": None})

    def test_bareSession(self) -> None:
        """
        What has no metadata says so.
        """
        self.src.invite(metadata=None)
        [live] = self.house.service.recordings.values()
        live.recording = evolve(live.recording, events=())
        text = self.run_("session", live.recording.id)
        self.assertIn("the metadata names none", text)
        self.assertNotIn("events\n", text)

    def test_sessionNotFound(self) -> None:
        """
        An unknown id, or one that could be several, is answered by a sentence.
        """
        self.assertIn("no recording 'x' runs here", self.run_("session", "x"))
        self.assertIn("no recording ''", self.run_("session", ""))
        for number in range(2):
            Src(self.house, callID=f"{number}@{PEER}").invite()
        first, second = self.house.service.recordings
        shared = 0
        while first[shared] == second[shared]:
            shared += 1
        expected = f"which of these? {first}, {second}"
        self.assertEqual(self.run_("session", first[:shared]), expected)

    def test_nodes(self) -> None:
        """
        The nodes come from the cluster; what only some of them say is empty
        for the others.
        """
        self.node.waiting = []
        command: Any = self.names["nodes"]
        asking = command()
        self.assertNoResult(asking)
        self.node.waiting[0].callback([{"id": "a", "x": 1}, {"id": "b", "ready": True}])
        table = self.successResultOf(asking)
        self.assertEqual(str(table), "id  x  ready\na   1\nb        yes")

    def test_stats(self) -> None:
        """
        The counts are those of the metrics, without what is for machines.
        """
        self.src.invite()
        text = self.run_("stats")
        self.assertRegex(text, r"siprec_invites_total +accepted +1\n")
        self.assertNotIn("_bucket", text)
        self.assertNotIn("_created", text)

    def test_statsOfStore(self) -> None:
        """
        A store that counts is asked, too.
        """
        self.names = namespace(ShellNode(self.house, store=_Store()), self.house.now)
        self.assertTrue(self.run_("stats").endswith("\n\nstore\nsessions  3\nlag       0.25"))

    def test_capture(self) -> None:
        """
        How the capture fares, and each stream with its losses and errors.
        """
        self.assertIn("no stream is attached", self.run_("capture"))
        self.src.invite()
        [live] = self.house.service.recordings.values()
        handle: Any = live.taps.handles()[0]
        assert isinstance(handle, FakeCapturedStream)
        handle.packets, handle.kernelDrops, handle.error = 50, 3, "disk full"
        text = self.run_("capture")
        self.assertIn("visits that took too long  1\n", text)
        self.assertIn("longest slice in ms        2.5", text)
        self.assertRegex(text, rf"{live.recording.id} +0\.0\.0\.0:10000 +50 .* 3 .*disk full")

    def test_drain(self) -> None:
        """
        C{drain()} drains, and says what is left.
        """
        self.src.invite()
        self.assertEqual(self.run_("drain"), "draining; 1 sessions are left")
        self.assertTrue(self.house.service.draining)

    def test_readOnly(self) -> None:
        """
        No other command changes anything, and the help says which one does.
        """
        self.src.call()
        before = (
            self.house.manifests(),
            dict(self.house.recorder.calls),
            self.house.store.saved[:],
        )
        for name in ("sessions", "nodes", "stats", "capture", "help"):
            self.run_(name)
        self.run_("session", "")
        after = (self.house.manifests(), dict(self.house.recorder.calls), self.house.store.saved[:])
        self.assertEqual(before, after)
        self.assertFalse(self.house.service.draining)
        unsafe = [n for n, c in self.names.items() if "NOT read-only" in getattr(c, "text", "")]
        self.assertEqual(unsafe, ["pause", "resume", "drain"])

    def test_help(self) -> None:
        """
        Every name has a line of help that says what it shows, and a page.
        """
        text = self.run_("help")
        self.assertEqual(
            [line.split()[0] for line in text.splitlines()],
            [
                *("type", "capture()", "drain()", "help(about)", "node", "nodes()"),
                *("pause(id,", "resume(id,", "session(id)", "sessions()", "stats()", "store"),
            ],
        )
        for line in text.splitlines()[1:]:
            self.assertGreater(len(line.split()), 4, line)
        self.assertIn("TAB completes it", self.run_("help", self.names["session"]))
        self.assertIn("node.settings", self.run_("help", self.names["node"]))
        self.assertIn("float", self.run_("help", 1.5))

    def test_choices(self) -> None:
        """
        C{session} is completed with the ids of what is recorded, as are C{pause} and
        C{resume}.
        """
        self.src.invite()
        for name in ("session", "pause", "resume"):
            command = self.names[name]
            assert isinstance(command, Command)
            self.assertEqual(list(command.choices()), list(self.house.service.recordings))

    def test_node(self) -> None:
        """
        C{node} shows the node, and leads to its parts.
        """
        self.src.invite()
        node: Any = self.names["node"]
        text = repr(node)
        for line in (
            *("node        n1", "SIP         udp 192.0.2.1:5060, tcp [2001:db8::1]:5060"),
            *("HTTP        off", "calls       1", "draining    no", "store       memory"),
        ):
            self.assertIn(line, text)
        self.assertIn("takes calls", text)
        self.assertEqual(node.settings.node.id, "n1")
        self.assertEqual([each.live for each in node.calls], list(node.recordings.values()))
        self.node.httpAddress = ("127.0.0.1", 8080)
        self.house.service.draining, self.house.service.disk.free = True, None
        self.assertIn("HTTP        127.0.0.1:8080", repr(node))
        self.assertIn("not ready   the node is draining, ", repr(node))
        self.assertIn("disk free   unknown", repr(node))

    def test_store(self) -> None:
        """
        C{store} can be asked, not written.
        """
        self.src.invite()
        store: Any = self.names["store"]
        self.assertEqual(repr(store), "WatchedStore: list(), load()")
        self.assertEqual(dir(store), ["list", "load"])
        [key] = self.successResultOf(store.list())
        self.assertEqual(self.successResultOf(store.load(key)).key, key)
        error = self.assertRaises(AttributeError, lambda: store.delete)
        self.assertEqual(str(error), "the shell only reads: list, load")
