"""
Tests for L{siprec.web.api}.
"""

import os
from typing import Any

from siprec.session.archive import directoryOf
from siprec.session.manifest import SCHEMA, writeManifest
from siprec.web import api
from tests.session.test_archive import idAt
from tests.web.requests import SiteTestCase

NOBODY = idAt(99)


class APITestCase(SiteTestCase):
    """
    A site with an archive of three recordings.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ids = [
            self.store(1, state="complete", nodes=["node-a"], callID="one@x"),
            self.store(2, state="incomplete", nodes=["node-a", "node-b"], callID="two"),
            self.store(86400, state="recording", nodes=["node-b"], callID="three"),
        ]

    def store(self, start: float, **more: Any) -> str:
        """
        @return: the id of a recording that is now in the archive.
        """
        recording = idAt(start)
        directory = directoryOf(self.root, recording, start)
        os.makedirs(directory)
        writeManifest(directory, {"schema": SCHEMA, "id": recording, **more}, durable=False)
        return recording


class RecordingsTests(APITestCase):
    """
    C{/api/recordings}.
    """

    def listed(self, query: str = "") -> list[str]:
        return [each["id"] for each in self.get(f"/api/recordings{query}")["recordings"]]

    def test_empty(self) -> None:
        """
        Before the first call there is no archive, and so no recordings.
        """
        os.rename(self.root, self.root + ".away")
        self.assertEqual(self.get("/api/recordings"), {"recordings": [], "cursor": None})

    def test_all(self) -> None:
        """
        The manifests come whole, newest first, read in a worker.
        """
        found = self.get("/api/recordings/")
        self.assertEqual([each["id"] for each in found["recordings"]], self.ids[::-1])
        self.assertEqual(found["recordings"][0]["callID"], "three")
        self.assertIsNone(found["cursor"])
        self.assertEqual(self.workers.called, ["newest"])

    def test_filters(self) -> None:
        """
        State, node and Call-ID narrow the list, together if several are given.
        """
        one, two, three = self.ids
        self.assertEqual(self.listed("?state=complete"), [one])
        self.assertEqual(self.listed("?node=node-b"), [three, two])
        self.assertEqual(self.listed("?callID=one%40x"), [one])
        self.assertEqual(self.listed("?node=node-b&state=incomplete"), [two])
        self.assertEqual(self.listed("?callID=nobody"), [])

    def test_pages(self) -> None:
        """
        The cursor of a page gives the next one, with the same filters.
        """
        first = self.get("/api/recordings?limit=1&node=node-a")
        self.assertEqual([each["id"] for each in first["recordings"]], [self.ids[1]])
        second = self.get(f"/api/recordings?limit=1&node=node-a&cursor={first['cursor']}")
        self.assertEqual([each["id"] for each in second["recordings"]], [self.ids[0]])
        self.assertIsNone(second["cursor"])

    def test_badQuery(self) -> None:
        """
        A bad value gives 400 and says what would be good.
        """
        for query, word in (
            ("limit=0", "1 to 1000"),
            ("limit=1001", "1 to 1000"),
            ("limit=99999999999999999999", "1 to 1000"),
            ("limit=ten", "1 to 1000"),
            ("limit=-1", "1 to 1000"),
            ("limit=%D9%A1", "1 to 1000"),
            ("state=done", "recording, finishing, complete, incomplete"),
            ("cursor=../..", "earlier page"),
            ("caller=ann", "'caller'"),
        ):
            found = self.get(f"/api/recordings?{query}", 400)
            self.assertEqual(found["error"], "bad-query")
            self.assertIn(word, found["detail"])

    def test_unreadable(self) -> None:
        """
        A broken manifest is logged and hides no other one.
        """
        with open(os.path.join(directoryOf(self.root, idAt(1), 1), "recording.json"), "w"):
            pass
        self.assertEqual(self.listed(), self.ids[:0:-1])

    def test_archiveBroken(self) -> None:
        """
        A disk that fails is an error of ours.
        """
        os.rename(self.root, self.root + ".away")
        os.symlink(os.path.basename(self.root), self.root)  # leads to itself
        self.assertEqual(self.get("/api/recordings", 500)["error"], "internal-error")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class RecordingTests(APITestCase):
    """
    C{/api/recordings/<id>}.
    """

    def test_shown(self) -> None:
        """
        One recording is its manifest.
        """
        found = self.get(f"/api/recordings/{self.ids[1]}")
        self.assertEqual((found["id"], found["nodes"]), (self.ids[1], ["node-a", "node-b"]))

    def test_notFound(self) -> None:
        """
        An id without a recording gives 404, and so does what is no id, such
        as a path.
        """
        for name in (NOBODY, "x", "..%2F..%2Fetc", f"..%2F01%2F{self.ids[0]}", "%ff"):
            found = self.get(f"/api/recordings/{name}", 404)
            self.assertEqual(found["error"], "no-such-recording")

    def test_deletedMeanwhile(self) -> None:
        """
        A folder that is deleted between finding and reading it is not there.
        """
        manifest = os.path.join(directoryOf(self.root, idAt(1), 1), "recording.json")

        def deleting(root: str, recording: str) -> str:
            os.unlink(manifest)
            return os.path.dirname(manifest)

        self.patch(api, "locate", deleting)
        self.get(f"/api/recordings/{self.ids[0]}", 404)

    def test_below(self) -> None:
        """
        Below a recording there are its actions only.
        """
        self.assertEqual(self.get(f"/api/recordings/{self.ids[0]}/x", 404)["error"], "not-found")


class ActionTests(APITestCase):
    """
    What an operator can do.
    """

    def test_stop(self) -> None:
        """
        A running recording is stopped in the name of the peer's address, and
        its manifest comes back.
        """
        self.control.running[self.ids[2]] = {"id": self.ids[2], "state": "recording"}
        found = self.post(f"/api/recordings/{self.ids[2]}/stop", 200)
        self.assertEqual(found, {"id": self.ids[2], "state": "finishing"})
        self.assertEqual(self.control.stopped, [(self.ids[2], "192.0.2.7")])

    def test_stopEnded(self) -> None:
        """
        What the node knows as ended, or only the archive knows, cannot be
        stopped: 409.
        """
        self.control.ended.add(self.ids[0])
        for recording in self.ids[:2]:
            found = self.post(f"/api/recordings/{recording}/stop", 409)
            self.assertEqual(found["error"], "not-running")

    def test_stopUnknown(self) -> None:
        """
        What is in neither place is not there: 404.
        """
        for name in (NOBODY, "..%2F.."):
            found = self.post(f"/api/recordings/{name}/stop", 404)
            self.assertEqual(found["error"], "no-such-recording")

    def test_pauseAndResume(self) -> None:
        """
        A running recording is paused and resumed in the name of the peer's address, for a
        reason that is in the body, if there is one; its manifest comes back.
        """
        path = f"/api/recordings/{self.ids[2]}"
        self.control.running[self.ids[2]] = {"id": self.ids[2]}
        found = self.post(f"{path}/pause", 200, b'{"reason": "card"}')
        self.assertEqual(found["paused"], {"who": "192.0.2.7", "reason": "card"})
        self.assertIsNone(self.post(f"{path}/resume", 200)["paused"])
        self.assertEqual(self.control.paused, [(self.ids[2], "192.0.2.7", "card")])
        self.assertEqual(self.control.resumed, [(self.ids[2], "192.0.2.7", None)])

    def test_badReason(self) -> None:
        """
        With a body that says something else nothing happens.
        """
        self.control.running[self.ids[2]] = {"id": self.ids[2]}
        for action in ("pause", "resume"):
            found = self.post(f"/api/recordings/{self.ids[2]}/{action}", 400, b"[]")
            self.assertEqual(found["error"], "bad-body")
        self.assertEqual((self.control.paused, self.control.resumed), ([], []))

    def test_pauseEnded(self) -> None:
        """
        What is over cannot be paused or resumed: 409; what there is not: 404.
        """
        self.control.ended.add(self.ids[0])
        for action in ("pause", "resume"):
            for recording in self.ids[:2]:
                found = self.post(f"/api/recordings/{recording}/{action}", 409)
                self.assertEqual(found["error"], "not-running")
            found = self.post(f"/api/recordings/{NOBODY}/{action}", 404)
            self.assertEqual(found["error"], "no-such-recording")

    def test_nodes(self) -> None:
        """
        The nodes are told as the node control gives them.
        """
        self.assertEqual(self.get("/api/nodes"), {"nodes": [{"id": "node-a"}]})

    def test_drain(self) -> None:
        """
        Draining is begun and takes a while: 202.
        """
        self.assertEqual(self.post("/api/drain", 202), {"status": "draining"})
        self.assertEqual(self.control.drained, 1)

    def test_controlBroken(self) -> None:
        """
        A node that cannot answer is an error of ours.
        """
        self.control.broken = OSError("store away")
        self.get("/api/nodes", 500)
        self.post("/api/drain", 500)
        self.post(f"/api/recordings/{NOBODY}/stop", 500)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 3)
