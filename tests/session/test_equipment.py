"""
Tests of L{siprec.session.equipment}.
"""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from siprec.session.equipment import Equipment
from siprec.session.recordings import Recordings
from siprec.testing.fakes import FakePortPool
from tests.session.servicecase import ServiceTestCase


class EquipmentTests(ServiceTestCase):
    """
    All parts that look after recordings have the same things.
    """

    def setUp(self) -> None:
        super().setUp()
        self.equipment: Equipment = self.service.equipment

    def test_shared(self) -> None:
        """
        What begins recordings is given what the recordings were made with, which says
        whose they are and where they lie.
        """
        self.assertIs(self.service._resources().equipment, self.equipment)
        self.assertEqual(self.service.node, self.equipment.node)
        self.assertEqual(self.service.root, self.equipment.root)

    def test_fixed(self) -> None:
        """
        Nothing of it is exchanged while recordings use it; others are made with another.
        """
        with self.assertRaises(FrozenInstanceError):
            self.equipment.ports = FakePortPool()  # type: ignore[misc]
        empty = FakePortPool(10000, 0)
        other = Recordings(evolve(self.equipment, ports=empty), minFree=1)
        self.assertIn("every RTP port is taken", other.notReady())
        self.assertNotIn("every RTP port is taken", self.service.notReady())
