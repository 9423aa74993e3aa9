"""
Tests of L{siprec.cluster.continuing}: calls whose peers have gone elsewhere.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from siprec.ids import NodeID, RecordingID
from siprec.session.model import CallSnapshot, SessionData
from tests.cluster.continuingcase import ContinuationTestCase
from tests.uas.house import START


class SupersededTests(ContinuationTestCase):
    """
    A call whose peer never had an answer, and tried another node.
    """

    def setUp(self) -> None:
        super().setUp()
        assert self.data.snapshot is not None
        dialog = evolve(self.data.snapshot.dialog, confirmed=False)
        self.data = evolve(self.data, snapshot=evolve(self.data.snapshot, dialog=dialog))

    def other(self, **changes: Any) -> None:
        """
        Have another call of the same Call-ID in the store.
        """
        snapshot = self.data.snapshot
        assert snapshot is not None
        tag = changes.pop("tag", snapshot.dialog.remoteTag)
        recording = evolve(snapshot.recording, id=RecordingID("other"))
        with_ = CallSnapshot(recording, evolve(snapshot.dialog, remoteTag=tag), START)
        other = evolve(self.data, sessionID="other", nodeID=NodeID("n3"), snapshot=with_, **changes)
        self.memory.store(other, 3600)
        self.addCleanup(self.memory.delete, "other", None, 0)

    def goesOn(self) -> bool:
        """
        @return: whether the call goes on.
        """
        self.successResultOf(self.take())
        self.wait(1)
        return bool(self.b.calls)

    def test_superseded(self) -> None:
        """
        It is finished: the peer is recorded at another node.
        """
        self.other()
        self.assertFalse(self.goesOn())
        [manifest] = self.manifests()
        self.assertEqual(manifest["endReason"], "superseded")

    def test_alone(self) -> None:
        """
        It goes on where there is no other.
        """
        self.assertTrue(self.goesOn())

    def test_otherPeer(self) -> None:
        """
        One of the same Call-ID but another tag is another peer's.
        """
        self.other(tag="x")
        self.assertTrue(self.goesOn())

    def test_earlier(self) -> None:
        """
        An earlier one is what was tried before.
        """
        self.other(startTime=START - 9)
        self.assertTrue(self.goesOn())

    def test_gone(self) -> None:
        """
        One that has ended meanwhile supersedes nothing, nor does it hide what
        does.
        """
        self.other()
        gone = evolve(self.data, sessionID="0", nodeID=NodeID("n3"))
        self.memory.store(gone, 3600)
        get = self.memory.get

        def forgotten(key: str) -> SessionData:
            if key == "0":
                self.memory.delete("0", None, 0)
            return get(key)

        self.patch(type(self.memory), "get", staticmethod(forgotten))
        found = sorted(self.memory.listByCallID(self.data.callID))
        self.assertEqual(found[0], "0")
        self.patch(type(self.memory), "listByCallID", staticmethod(lambda callID: found))
        self.assertFalse(self.goesOn())

    def test_away(self) -> None:
        """
        With the store away it goes on.
        """
        self.other()
        self.b.store.away = True
        self.successResultOf(self.take())
        self.wait(0.5)
        self.assertEqual(len(self.b.calls), 1)
        self.b.store.away = False
