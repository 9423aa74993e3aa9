"""
Tests of L{siprec.entrance}.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from siprec.entrance import makeEntrance
from siprec.peersettings import readPeers
from siprec.sip.layer import SipLayer
from siprec.uas.peerlist import PeerList
from tests.nodeparts import FakeReactor, settingsFor
from tests.sip.sockets import Receiver
from tests.sip.traffic import UDP, request


@define(eq=False)
class Taken:
    """
    Stands for a recorder that is configured.
    """

    peers: PeerList = field(factory=PeerList)


class EntranceTests(SynchronousTestCase):
    """
    The transport and the doorway, as configured.
    """

    def setUp(self) -> None:
        self.reactor: Any = FakeReactor()
        self.layer = SipLayer(self.reactor)
        self.root = os.path.abspath(self.mktemp())
        self.recorder: Any = Taken()

    def test_peers(self) -> None:
        """
        The recorder and the doorway have the same peers, and get new ones.
        """
        entrance = makeEntrance(self.reactor, settingsFor(self.root), self.layer)
        for tables in ([], [{"name": "a", "networks": ["192.0.2.7"]}]):
            settings = settingsFor(self.root, peer=tables)
            entrance.configure(settings, self.recorder)
            self.assertEqual(entrance.doorway.peers.entries, readPeers(tables))
            self.assertIs(self.recorder.peers, entrance.doorway.peers)

    def test_receiver(self) -> None:
        """
        What is let in may go elsewhere than to the layer.
        """
        receiver = Receiver()
        entrance = makeEntrance(self.reactor, settingsFor(self.root), self.layer, receiver)
        entrance.doorway.messageReceived(request(), UDP)
        self.assertEqual(len(receiver.messages), 1)
