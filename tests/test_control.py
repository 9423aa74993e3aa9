"""
Tests of L{siprec.control}.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from siprec.cluster.membership import Member, Standing
from siprec.config import ConfigError
from siprec.ids import nodeID
from siprec.session.archive import NoSuchRecording
from siprec.session.manifest import describe, writeManifest
from siprec.session.model import NodeLease
from siprec.web.interfaces import INodeControl, NotRunning
from tests.callparts import CallPart, LivePart
from tests.nodeparts import NodeTestCase, settingsFor
from tests.session.recordings import identity, session


class ControlTests(NodeTestCase):
    """
    What operators ask for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.live = LivePart(session(self.root))
        self.call = CallPart(self.live)
        self.parts["recorder"].calls = {"opening": CallPart(None), "x": self.call}

    def test_interface(self) -> None:
        """
        It is what the HTTP interface needs.
        """
        verifyObject(INodeControl, self.node)

    def test_ready(self) -> None:
        """
        It is ready when its recorder is.
        """
        self.assertEqual(self.node.notReady(), [])
        self.parts["recorder"].reasons = ["full"]
        self.assertEqual(self.node.notReady(), ["full"])

    def test_nodes(self) -> None:
        """
        It describes itself.
        """
        self.parts["sessions"].recordings["x"] = None
        described, other = self.successResultOf(self.node.nodes())
        self.assertEqual(described["id"], "node-a")
        self.assertEqual((described["sessions"], described["ready"]), (1, True))
        self.assertEqual(described["draining"], False)
        self.assertEqual(described["sip"], ["udp:192.0.2.1:5060"])
        self.assertEqual((other["id"], other["sessions"]), ("node-b", 7))
        self.assertNotIn("ready", other)

    def test_drain(self) -> None:
        """
        Draining refuses new calls and ends those that run, once.
        """
        for _ in range(2):
            self.successResultOf(self.node.drain())
        self.assertTrue(self.parts["sessions"].draining)
        self.assertEqual(self.notes, ["calls 503 drained"])

    def test_nodesOfCluster(self) -> None:
        """
        With others it says what it thinks of each, and names those that have
        died, whose leases are gone.
        """
        cluster = self.join()
        for name, standing in (("node-b", Standing.SUSPECTED), ("node-c", Standing.DEAD)):
            lease = NodeLease(nodeID(name), "i", "there", 7, sessions=3)
            cluster.membership.members[lease.nodeID] = Member(lease, standing, 0.0)
        node = self.makeNode()
        found = {each["id"]: each for each in self.successResultOf(node.nodes())}
        self.assertEqual(
            {name: each["standing"] for name, each in found.items()},
            {"node-a": "alive", "node-b": "suspected", "node-c": "dead"},
        )
        self.assertEqual((found["node-c"]["sessions"], found["node-c"]["host"]), (3, "there"))

    def test_giveAway(self) -> None:
        """
        With others a drain gives the calls to them, and ends the rest only then.
        """
        cluster = self.join()
        cluster.giving = Deferred()
        node = self.makeNode()
        self.successResultOf(node.drain())
        self.assertEqual((self.notes, cluster.until), (["give away"], [25.0]))
        self.successResultOf(node.drain())
        cluster.giving.callback(None)
        self.assertEqual(self.notes, ["give away", "calls 503 drained"])

    def test_giveAwayFails(self) -> None:
        """
        An error of that is logged.
        """
        cluster = self.join()
        cluster.giving = fail(ValueError("bug"))
        self.successResultOf(self.makeNode().drain())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_stopRunning(self) -> None:
        """
        A recording that runs is ended, with who did it, and shown.
        """
        stopped = self.node.stopRecording(self.live.recording.id, "192.0.2.7")
        self.assertEqual(self.successResultOf(stopped)["state"], "finishing")
        self.assertEqual(self.live.events, [{"type": "stopped", "who": "192.0.2.7"}])
        self.assertEqual(self.call.stopped, [(200, "stopped")])

    def test_stopEnded(self) -> None:
        """
        One that is over cannot be ended.
        """
        recording = session(self.root, 7)
        os.makedirs(recording.directory)
        writeManifest(recording.directory, describe(recording))
        self.failureResultOf(self.node.stopRecording(recording.id, "x"), NotRunning)
        self.assertEqual(self.call.stopped, [])

    def test_stopUnknown(self) -> None:
        """
        Nor one that there is not, or that cannot be.
        """
        for name in (identity(9), "../../etc/passwd", ""):
            self.failureResultOf(self.node.stopRecording(name, "x"), NoSuchRecording)

    def test_pause(self) -> None:
        """
        A recording that runs is paused, and shown, once that is in the store as well.
        """
        self.call.saving = Deferred()
        paused = self.node.pauseRecording(self.live.recording.id, "192.0.2.7", "card")
        self.assertEqual(
            self.live.events, [{"type": "recordingPaused", "who": "192.0.2.7", "reason": "card"}]
        )
        self.assertTrue(self.live.taps.muted)
        self.assertEqual(self.call.notes, ["save"])
        self.assertNoResult(paused)
        self.call.saving.callback(None)
        self.assertEqual(self.successResultOf(paused)["paused"].reason, "card")

    def test_resume(self) -> None:
        """
        It is resumed in the same way.
        """
        self.successResultOf(self.node.pauseRecording(self.live.recording.id, "x", None))
        resumed = self.node.resumeRecording(self.live.recording.id, "y", None)
        self.assertIsNone(self.successResultOf(resumed)["paused"])
        self.assertFalse(self.live.taps.muted)
        self.assertEqual(self.call.notes, ["save", "save"])

    def test_pausedByAnother(self) -> None:
        """
        If the store tells that another node has the call, nothing has been paused.
        """
        self.call.saving = Deferred()
        paused = self.node.pauseRecording(self.live.recording.id, "x", None)
        self.call.over = True
        self.call.saving.callback(None)
        self.failureResultOf(paused, NotRunning)

    def test_pausedTooLate(self) -> None:
        """
        A call that ended while it was being paused is not saved again.
        """
        self.call.over = True
        paused = self.node.pauseRecording(self.live.recording.id, "x", None)
        self.failureResultOf(paused, NotRunning)
        self.assertEqual(self.call.notes, [])

    def test_pauseEnded(self) -> None:
        """
        What is over, or is not there, cannot be paused or resumed.
        """
        recording = session(self.root, 7)
        os.makedirs(recording.directory)
        writeManifest(recording.directory, describe(recording))
        for change in (self.node.pauseRecording, self.node.resumeRecording):
            self.failureResultOf(change(recording.id, "x", None), NotRunning)
            self.failureResultOf(change(identity(9), "x", None), NoSuchRecording)

    def test_reload(self) -> None:
        """
        What can change while calls run is taken up; the rest waits, and is
        named.
        """
        settings = settingsFor(
            self.root,
            sip__profile="strict",
            sip__srtp="require",
            sip__max_sessions=7,
            recordings__min_free=5,
            metadata__exclude=["X-*"],
            metadata__mask=["\\d{6,}"],
            metadata__snapshot_request="errors",
            sip__not_ready="inactive",
            node__drain_timeout=3,
            peer=[{"name": "a", "networks": ["192.0.2.7"]}],
        )
        with capturedLogs() as logs:
            self.node.reload(settings)
        recorder, sessions = self.parts["recorder"], self.parts["sessions"]
        self.assertEqual((recorder.profile, recorder.maxSessions), ("strict", 7))
        self.assertEqual(recorder.srtp, "require")
        self.assertEqual((sessions.minFree, sessions.exclude), (5, ("X-*",)))
        self.assertEqual((recorder.waits, sessions.mask.patterns), (True, ("\\d{6,}",)))
        self.assertEqual(self.node.settings.sip.profile, "strict")
        self.assertIs(self.parts["entrance"].settings, settings)
        self.assertEqual(self.node.settings.peers, settings.peers)
        self.assertNotEqual(self.node.settings.node.drainTimeout, 3)
        self.assertEqual(logs[0]["waiting"], "node, metadata")

    def test_reloadFiles(self) -> None:
        """
        A file that cannot be used is named in the log, and what was read
        before goes on to be used.
        """
        settings = settingsFor(self.root)
        self.node.reload(settings)
        self.assertIs(self.parts["entrance"].loaded, settings)
        self.parts["entrance"].failure = OSError("sip.digest_file = 'x': no")
        with capturedLogs() as logs:
            self.node.reload(settingsFor(self.root))
        self.assertEqual(logs[0]["error"], "sip.digest_file = 'x': no")
        self.assertIs(self.parts["entrance"].loaded, settings)

    def test_reloadCluster(self) -> None:
        """
        The files of the cluster are read anew even if those of SIP cannot be; what is
        wrong with them is named likewise.
        """
        cluster = self.join()
        node = self.makeNode()
        self.parts["entrance"].failure = OSError("no")
        with capturedLogs() as logs:
            node.reload(settingsFor(self.root))
            self.assertEqual(self.notes, ["files read"])
            cluster.links.credentials.failure = ConfigError(
                "cluster.secret_file", "x", "a readable file"
            )
            node.reload(settingsFor(self.root))
        errors = [each["error"] for each in logs if "error" in each]
        self.assertEqual(errors[:2], ["no", "no"])
        self.assertIn("cluster.secret_file", errors[2])
