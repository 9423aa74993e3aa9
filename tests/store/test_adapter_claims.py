"""
Tests of L{siprec.store.adapter}: records that change their node.
"""

from __future__ import annotations

from attrs import evolve

from siprec.store.interfaces import NotOwner
from tests.store.contract import makeData, makeSnapshot
from tests.store.samples import N1, N2
from tests.store.test_adapter import AdapterTestCase


class ClaimTests(AdapterTestCase):
    """
    Two nodes and a call.
    """

    def test_learned(self) -> None:
        """
        A claimed record is written at once, in the epoch of the claim, and what
        others have put into it stays.
        """
        data = evolve(makeData("a"), nodeID=N2, metadata={"tenant": 7})
        self.memory.store(data, 100.0)
        self.adapter.learn(self.memory.claim("a", N1, 1))
        self.shaky.calls.clear()
        self.save()
        self.assertEqual(self.shaky.calls, ["update"])
        record = self.memory.get("a")
        self.assertEqual((record.nodeID, record.epoch, record.version), (N1, 2, 3))
        self.assertEqual(record.metadata["tenant"], 7)

    def test_forgotten(self) -> None:
        """
        A record that has been given away is not written any more.
        """
        self.save()
        self.memory.claim("a", N2, 1)
        self.adapter.forget("a")
        self.failureResultOf(self.adapter.save("a", makeSnapshot("a")), NotOwner)
        self.assertEqual(self.memory.get("a").nodeID, N2)

    def test_back(self) -> None:
        """
        One that comes back is written in the epoch in which it came.
        """
        self.save()
        self.memory.claim("a", N2, 1)
        self.adapter.forget("a")
        self.adapter.learn(self.memory.claim("a", N1, 2))
        self.save()
        self.assertEqual(self.memory.get("a").epoch, 3)

    def test_forgetUnknown(self) -> None:
        """
        What is not known can be forgotten.
        """
        self.adapter.forget("other")
        self.save()
        self.assertEqual(self.memory.get("a").version, 1)
