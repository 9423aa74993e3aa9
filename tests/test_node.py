"""
Tests of L{siprec.node}: the start, the stop, and what a real one is made of.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from siprec.session.running import NodeInUse, Orphan, RunningRecordings
from siprec.sip.transport import ListenFailed
from siprec.trace.ring import TraceRing
from tests.nodeparts import LISTEN, NodeTestCase
from tests.session.recordings import NODE, identity


class StartTests(NodeTestCase):
    """
    The start, part by part.
    """

    def test_order(self) -> None:
        """
        What blocks first, the network last, and what an earlier life left is
        taken up at once.
        """
        running = RunningRecordings(self.root, NODE)
        running.acquire()
        running.add(identity(), f"{self.root}/2026/x")
        running.release()
        self.node.startService()
        self.assertEqual(
            self.notes,
            [
                *("+workers", "+archive", "+capture", "+renderer"),
                *("+state", "+transport"),
            ],
        )
        self.assertEqual(
            self.parts["recovery"].orphans, [Orphan(NODE, identity(), f"{self.root}/2026/x")]
        )
        [(port, *_, interface)] = self.reactor.tcpServers
        self.assertEqual((interface, port), ("127.0.0.1", 8080))
        self.assertEqual(self.node.httpAddress, ("0.0.0.0", 8080))  # of the fake port
        self.assertTrue(self.node.running)
        self.assertRaises(NodeInUse, RunningRecordings(self.root, NODE).acquire)
        self.successResultOf(self.stop())

    def test_trace(self) -> None:
        """
        Its trace can be read while it runs, if it keeps one: at a socket of its own
        below the recordings, or at the one that is configured.
        """
        self.start()
        self.assertEqual(self.reactor.unixServers, [])
        self.successResultOf(self.stop())
        self.parts["ring"] = TraceRing(10, 1000)
        self.start()
        [(address, _, _, mode, _)] = self.reactor.unixServers
        self.assertEqual((os.path.basename(address), mode), (f"{NODE}.trace", 0o600))
        self.assertEqual(self.node.trace.path, f"{self.root}/.running/{NODE}.trace")
        self.successResultOf(self.stop())
        self.assertFalse(self.node.trace.running)

    def test_traceRefused(self) -> None:
        """
        If the configured one cannot be had, the node does not start.
        """
        self.parts["ring"] = TraceRing(10, 1000)
        self.node = self.makeNode(trace__socket=self.root)
        error = self.assertRaises(OSError, self.node.startService)
        self.assertIn(f"trace.socket {self.root}: there is a file", str(error))
        self.assertFalse(self.node.running)
        self.assertFree()

    def test_noHTTP(self) -> None:
        """
        An empty C{http.listen} is no server.
        """
        self.start(http__listen="")
        self.assertEqual(self.reactor.tcpServers, [])
        self.assertIsNone(self.node.httpAddress)
        self.successResultOf(self.stop())

    def test_unixSocket(self) -> None:
        """
        A socket that is no internet address has no host and port.
        """
        self.start()
        http: Any = self.node._http
        http.getHost = lambda: UNIXAddress("/run/siprec.sock")
        self.assertIsNone(self.node.httpAddress)
        self.successResultOf(self.stop())

    def test_inUse(self) -> None:
        """
        Where the node runs already, nothing is started at all.
        """
        other = RunningRecordings(self.root, NODE)
        other.acquire()
        self.addCleanup(other.release)
        self.assertRaises(NodeInUse, self.node.startService)
        self.assertEqual(self.notes, [])
        self.assertFalse(self.node.running)

    def test_rollBack(self) -> None:
        """
        If a part cannot start, those that have are stopped in reverse, the
        error says what it was, and the node's name is free again.
        """
        failure = ListenFailed("udp:5060", "Address already in use")
        self.parts["transport"].failure = failure
        self.parts["capture"].stopping = Deferred()  # needs a reactor that runs
        error = self.assertRaises(ListenFailed, self.node.startService)
        self.assertIn(
            "sip.listen = 'udp:5060': expected an address that can be listened on (Address",
            str(error),
        )
        started = ["+workers", "+archive", "+capture", "+renderer", "+state"]
        stopped = ["-state", "-renderer", "-capture", "-archive", "-workers"]
        self.assertEqual(self.notes, started + stopped)
        self.assertFalse(self.node.running)
        self.assertFree()

    def test_rollBackFails(self) -> None:
        """
        A part that cannot be stopped either is logged, and does not hide why
        the start failed.
        """
        self.parts["transport"].failure = ListenFailed("udp:5060", "no")
        self.parts["renderer"].stopping = Deferred()
        self.assertRaises(ListenFailed, self.node.startService)
        self.parts["renderer"].stopping.errback(ValueError("stuck"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_again(self) -> None:
        """
        After a failed start another one may succeed.
        """
        self.parts["transport"].failure = ListenFailed("udp:5060", "no")
        self.assertRaises(ListenFailed, self.node.startService)
        self.parts["transport"].failure = None
        self.node.startService()
        self.successResultOf(self.stop())

    def test_httpInUse(self) -> None:
        """
        If the HTTP address cannot be had, the error names the key; the SIP
        sockets are closed again.
        """
        self.reactor.broken = True
        error = self.assertRaises(OSError, self.node.startService)
        self.assertIn(f"http.listen {LISTEN}: ", str(error))
        self.assertIn("Address already in use", str(error))
        self.assertEqual(self.notes[-6], "-transport")
        self.assertFree()

    def test_httpBad(self) -> None:
        """
        The same for a certificate that is not there.
        """
        listen = "ssl:8443:privateKey=/nowhere/key.pem:certKey=/nowhere/cert.pem"
        error = self.assertRaises(OSError, self.makeNode(http__listen=listen).startService)
        self.assertIn(f"http.listen {listen}: ", str(error))
        self.assertFree()

    def test_notWritable(self) -> None:
        """
        A recordings directory that cannot be made is named with its key.
        """
        with open(self.root, "w"):
            pass
        error = self.assertRaises(OSError, self.node.startService)
        self.assertIn(f"recordings.directory {self.root}: ", str(error))
        self.assertEqual(self.notes, [])

    def test_recoveryFails(self) -> None:
        """
        An error that the recovery had not foreseen ends the recovery alone.
        """
        self.start()
        self.parts["recovery"].done.errback(ValueError("bad"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.successResultOf(self.stop())


class StopTests(NodeTestCase):
    """
    The stop, part by part.
    """

    def test_order(self) -> None:
        """
        No new call; a BYE for those that run; their files; then the sockets;
        and what all of that needs at the last.
        """
        self.start()
        self.parts["sessions"].recordings["x"] = None
        stopped = self.stop()
        self.assertTrue(self.parts["sessions"].draining)
        self.assertEqual(self.notes, ["calls 503 drained", "drained?"])
        self.assertNoResult(stopped)
        self.parts["sessions"].recordings.clear()
        self.parts["sessions"].waiting[0].callback(None)
        self.successResultOf(stopped)
        closing = ["-renderer", "-transport", "-capture", "-layer", "drained?"]
        last = ["-state", "-archive", "-workers"]
        self.assertEqual(self.notes[2:], [*closing, *last])
        self.assertFalse(self.node.running)
        self.assertFree()

    def test_timeout(self) -> None:
        """
        Recordings that are not finished in time are left, with a log entry,
        early enough for all else to be closed within C{node.drain_timeout}.
        """
        self.start(node__drain_timeout=30)
        self.parts["sessions"].recordings["x"] = None
        stopped = self.stop()
        self.reactor.advance(26.9)
        self.assertNotIn("-renderer", self.notes)
        with capturedLogs() as logs:
            self.reactor.advance(0.1)
        self.assertEqual(logs[0]["sessions"], 1)
        self.assertIn("-transport", self.notes)
        # Rendering was given up: the recording says so and is done with.
        self.assertNoResult(stopped)
        self.parts["sessions"].waiting[1].callback(None)
        self.successResultOf(stopped)

    def test_everythingHangs(self) -> None:
        """
        Whatever hangs, the end comes within C{node.drain_timeout}, and the
        other parts are stopped.
        """
        for timeout in (30.0, 1.0):
            self.setUp()
            self.start(node__drain_timeout=timeout)
            self.parts["sessions"].recordings["x"] = None
            for name in ("renderer", "capture", "transport"):
                self.parts[name].stopping = Deferred()
            stopped = self.node.stopService()
            with capturedLogs() as logs:
                self.reactor.pump([0.1] * round(timeout * 10 + 1))
            self.successResultOf(stopped)
            hanging = {each["part"] for each in logs if "part" in each}
            self.assertEqual(hanging, {"renderer", "SIP", "capture"})
            self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)  # the recovery
            self.assertEqual(self.notes[-3:], ["-state", "-archive", "-workers"])
            self.assertFree()

    def test_partFails(self) -> None:
        """
        A part that fails to stop is logged and holds nothing up.
        """
        self.start()
        self.parts["transport"].stopping = Deferred()
        stopped = self.stop()
        with capturedLogs() as logs:
            self.parts["transport"].stopping.errback(ValueError("stuck"))
        self.successResultOf(stopped)
        self.assertEqual([each["part"] for each in logs], ["SIP"])
        self.assertIn("stuck", logs[0]["why"])

    def test_recovery(self) -> None:
        """
        The stop waits for the recovery, which ends with the renderer.
        """
        self.start()
        stopped = self.node.stopService()
        self.assertNoResult(stopped)
        self.parts["recovery"].done.callback(None)
        self.successResultOf(stopped)
