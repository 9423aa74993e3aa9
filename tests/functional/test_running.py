"""
L{siprec.session.running} between processes: the kernel keeps the locks.
"""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import TestCase

from siprec.ids import NodeID, RecordingID
from siprec.session.running import NodeInUse, RunningRecordings
from tests.functional.node import Program, eventually

NODE, OTHER = NodeID("node-a"), NodeID("node-b")
RECORDING = RecordingID("0190a3b4-0000-7000-8000-000000000001")

_HOLD = """
import sys, time
from siprec.ids import NodeID, RecordingID
from siprec.session.running import RunningRecordings
root, node, recording = sys.argv[1:]
running = RunningRecordings(root, NodeID(node))
running.acquire()
running.add(RecordingID(recording), f"{root}/2026/x")
print("held")
sys.stdin.read()
"""


class ProcessTests(TestCase):
    """
    A child process is the node.
    """

    async def _child(self) -> Program:
        child = Program.start(sys.executable, "-c", _HOLD, self.root, NODE, RECORDING)
        self.addCleanup(child.kill)
        await eventually("the lock", lambda: "held" in child.output)
        return child

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())

    def running(self, node: NodeID) -> RunningRecordings:
        """
        @return: one in this process.
        """
        running = RunningRecordings(self.root, node)
        self.addCleanup(running.release)
        return running

    async def test_held(self) -> None:
        """
        While the process lives, nobody else is its node, and the refusal names
        it; its recordings are no orphans.
        """
        child = await self._child()
        error = self.assertRaises(NodeInUse, self.running(NODE).acquire)
        self.assertIn(f"process {child.pid}", error.holder)
        other = self.running(OTHER)
        other.acquire()
        self.assertEqual(other.orphans(), [])

    async def test_killed(self) -> None:
        """
        Once it was killed, its name can be had and what it recorded is found.
        """
        child = await self._child()
        await child.kill()
        again = self.running(NODE)
        again.acquire()
        self.assertEqual([each.id for each in again.orphans()], [RECORDING])

    async def test_killedOther(self) -> None:
        """
        The same by another node on the directory.
        """
        child = await self._child()
        other = self.running(OTHER)
        other.acquire()
        self.assertEqual(other.orphans(), [])
        await child.kill()
        [orphan] = other.orphans()
        self.assertEqual((orphan.node, orphan.id), (NODE, RECORDING))

    async def test_notInherited(self) -> None:
        """
        A process that the node started does not keep the lock when the node is
        gone.
        """
        holder = self.running(NODE)
        holder.acquire()
        child = Program.start(sys.executable, "-c", "import sys; print('on'); sys.stdin.read()")
        self.addCleanup(child.kill)
        await eventually("the child", lambda: "on" in child.output)
        holder.release()
        self.running(NODE).acquire()
