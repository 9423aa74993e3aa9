"""
Tests of L{siprec.session.running}.  Locks are the open file's, not the
process's, so two objects in one process exclude each other as two processes do;
C{tests.functional.test_running} has real ones.
"""

from __future__ import annotations

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import NodeID
from siprec.session.manifest import describe, writeManifest
from siprec.session.running import NodeInUse, Orphan, RunningRecordings
from tests.session.recordings import NODE, OTHER, START, identity, session


class RunningTestCase(SynchronousTestCase):
    """
    Nodes on one recordings directory.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())

    def node(self, name: NodeID = NODE) -> RunningRecordings:
        """
        @return: a node that has started.
        """
        running = RunningRecordings(self.root, name)
        self.addCleanup(running.release)
        running.acquire()
        return running

    def marker(self, node: str, name: str) -> str:
        """
        @return: the path of a marker.
        """
        return os.path.join(self.root, ".running", node, name)

    def mark(self, node: str, name: str, content: bytes) -> None:
        """
        Write what a process that died has left.
        """
        os.makedirs(os.path.dirname(self.marker(node, name)), exist_ok=True)
        with open(self.marker(node, name), "wb") as file:
            file.write(content)

    def marked(self, node: str) -> list[str]:
        """
        @return: the names of a node's markers.
        """
        return sorted(os.listdir(os.path.dirname(self.marker(node, "x"))))


class LockTests(RunningTestCase):
    """
    Who is which node.
    """

    def test_secondRefused(self) -> None:
        """
        A second one is told who the first is.
        """
        self.node()
        second = RunningRecordings(self.root, NODE)
        error = self.assertRaises(NodeInUse, second.acquire)
        self.assertEqual(error.node, NODE)
        self.assertIn(os.uname().nodename, error.holder)
        self.assertIn(f"process {os.getpid()}", error.holder)
        self.assertIn("'node-a' is already running: host", str(error))

    def test_noDetails(self) -> None:
        """
        A holder that has not written of itself yet is one all the same.
        """
        self.node()
        os.truncate(os.path.join(self.root, ".running", "node-a.lock"), 0)
        error = self.assertRaises(NodeInUse, RunningRecordings(self.root, NODE).acquire)
        self.assertIn("no details", str(error))

    def test_perNode(self) -> None:
        """
        The lock is per node, and free again once it is released; releasing
        twice is no error.
        """
        first = self.node()
        self.node(OTHER)
        first.release()
        first.release()
        self.node()

    def test_shorterHolder(self) -> None:
        """
        What an earlier holder wrote of itself is gone, however long it was.
        """
        self.node().release()
        with open(os.path.join(self.root, ".running", "node-a.lock"), "w") as file:
            file.write("x" * 1000)
        self.node()
        error = self.assertRaises(NodeInUse, RunningRecordings(self.root, NODE).acquire)
        self.assertNotIn("x" * 100, error.holder)

    def test_notWritable(self) -> None:
        """
        A directory that cannot be made is an ordinary error.
        """
        with open(self.root, "w"):
            pass
        self.assertRaises(OSError, RunningRecordings(self.root, NODE).acquire)


class MarkerTests(RunningTestCase):
    """
    The recordings of the node that runs.
    """

    def test_addRemove(self) -> None:
        """
        A marker holds where the recording is, below the root; removing it
        twice is no error.
        """
        running = self.node()
        recording = session(self.root)
        running.add(recording.id, recording.directory)
        with open(self.marker("node-a", recording.id)) as file:
            self.assertEqual(file.read(), f"2026/01/05/{recording.id}")
        self.assertTrue(running.has(recording.id))
        running.remove(recording.id)
        running.remove(recording.id)
        self.assertFalse(running.has(recording.id))
        self.assertEqual(self.marked("node-a"), [])

    def test_notWritten(self) -> None:
        """
        A marker that cannot be written is an error of the one who adds it.
        """
        running = self.node()
        os.symlink("/dev/full", self.marker("node-a", identity()))
        error = self.assertRaises(OSError, running.add, identity(), f"{self.root}/x")
        self.assertEqual(error.errno, errno.ENOSPC)


class OrphanTests(RunningTestCase):
    """
    What processes that died left behind.
    """

    def orphans(self, running: RunningRecordings) -> list[tuple[str, str, str]]:
        """
        @return: node, id and relative path of each orphan.
        """
        return [
            (each.node, each.id, os.path.relpath(each.directory, self.root))
            for each in running.orphans()
        ]

    def test_none(self) -> None:
        """
        A first start finds nothing.
        """
        self.assertEqual(self.node().orphans(), [])

    def test_ownEarlierLife(self) -> None:
        """
        What this node left is found, the oldest first.
        """
        for number in (2, 0, 1):
            self.mark(NODE, identity(number), b"2026/01/05/%d" % number)
        self.assertEqual(
            self.orphans(self.node()),
            [(NODE, identity(number), f"2026/01/05/{number}") for number in range(3)],
        )

    def test_absolute(self) -> None:
        """
        An orphan knows the whole path, whatever the current directory is.
        """
        self.mark(NODE, identity(), b"2026/x")
        self.assertEqual(
            self.node().orphans(), [Orphan(NODE, identity(), os.path.join(self.root, "2026", "x"))]
        )

    def test_deadNode(self) -> None:
        """
        A node that starts takes over what another one, now dead, left on the
        same directory; nobody finds it twice, and it stays marked until it is
        finished.
        """
        self.mark(OTHER, identity(), b"2026/x")
        running = self.node()
        self.assertEqual(self.orphans(running), [(OTHER, identity(), "2026/x")])
        self.assertEqual(self.marked(OTHER), [])
        third = self.node(NodeID("node-c"))
        self.assertEqual(third.orphans(), [])
        running.release()
        self.assertEqual(self.orphans(third), [(NODE, identity(), "2026/x")])
        third.remove(identity())
        self.assertEqual(self.marked("node-c"), [])

    def test_deadNodeCanStart(self) -> None:
        """
        The node whose recordings were taken over can start again at once.
        """
        self.mark(OTHER, identity(), b"2026/x")
        self.node().orphans()
        self.assertEqual(self.node(OTHER).orphans(), [])

    def test_liveNode(self) -> None:
        """
        What another live node records is none of ours.
        """
        other = self.node(OTHER)
        other.add(identity(), f"{self.root}/2026/x")
        self.assertEqual(self.node().orphans(), [])
        self.assertEqual(self.marked(OTHER), [identity()])

    def test_pathTraversal(self) -> None:
        """
        A marker that leads out of the recordings directory, or to all of it,
        is refused and removed.
        """
        outside = (b"../../etc", b"/etc", b"2026/../..", b".", b"..", b"../" + b"x" * 9)
        for number, content in enumerate(outside):
            self.mark(NODE, identity(number), content)
        self.assertEqual(self.node().orphans(), [])
        self.assertEqual(self.marked(NODE), [])

    def test_foreignNames(self) -> None:
        """
        Files that are no markers are left alone.
        """
        self.mark(NODE, "README", b"2026/x")
        self.mark(NODE, "....", b"2026/x")
        self.mark("not a node!", identity(), b"2026/x")
        self.mark(".", "stray", b"2026/x")
        self.assertEqual(self.node().orphans(), [])
        self.assertEqual(self.marked(NODE), ["....", "README"])
        self.assertEqual(self.marked("not a node!"), [identity()])

    def test_notReadable(self) -> None:
        """
        A marker that cannot be read hides no other one.
        """
        os.makedirs(self.marker(NODE, identity(0)))
        self.mark(NODE, identity(1), b"2026/x")
        self.assertEqual(self.orphans(self.node()), [(NODE, identity(1), "2026/x")])

    def test_nodeNotReadable(self) -> None:
        """
        Nor does a node whose lock cannot be had for another reason.
        """
        self.mark(OTHER, identity(0), b"2026/x")
        os.makedirs(os.path.join(self.root, ".running", f"{OTHER}.lock"))
        self.mark(NODE, identity(1), b"2026/y")
        self.assertEqual(self.orphans(self.node()), [(NODE, identity(1), "2026/y")])

    def test_foreignBytes(self) -> None:
        """
        A root that is no UTF-8 does no harm.
        """
        self.mark(NODE, identity(), b"caf\xe9/x")
        [orphan] = self.node().orphans()
        self.assertEqual(os.fsencode(orphan.directory), os.fsencode(self.root) + b"/caf\xe9/x")

    def test_empty(self) -> None:
        """
        An empty marker is one whose writer died at once: there is nothing, and
        it is removed.
        """
        self.mark(NODE, identity(), b"")
        self.assertEqual(self.node().orphans(), [])
        self.assertEqual(self.marked(NODE), [])

    def test_lostInPowerCut(self) -> None:
        """
        After a power cut a marker may be empty, or full of zeros, though its
        recording is there: that is found by its id.
        """
        for number, content in enumerate((b"", b"\0" * 50)):
            recording = session(self.root, number)
            os.makedirs(recording.directory)
            writeManifest(recording.directory, describe(recording))
            self.mark(NODE, recording.id, content)
        found = self.orphans(self.node())
        self.assertEqual(
            found, [(NODE, identity(each), f"2026/01/05/{identity(each)}") for each in range(2)]
        )

    def test_time(self) -> None:
        """
        Orphans of several nodes come in the order of their begin.
        """
        self.mark(OTHER, identity(seconds=START + 1), b"2026/x")
        self.mark(NODE, identity(seconds=START + 2), b"2026/y")
        self.mark("node-c", identity(seconds=START), b"2026/z")
        found = [each.directory[-1] for each in self.node().orphans()]
        self.assertEqual(found, ["z", "x", "y"])
