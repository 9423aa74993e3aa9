"""
How SIP comes into a node, put together as configured: the transport, and who is
let in.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from siprec.config import Settings
from siprec.recorder import Recorder
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.layer import SipLayer
from siprec.sip.transport import TransportService
from siprec.uas.doorway import Doorway
from siprec.uas.peerlist import PeerList

__all__ = ["Entrance", "makeEntrance"]


@define(eq=False, repr=False)
class Entrance:
    """
    @ivar transport: hands what it receives to C{doorway}.
    """

    transport: TransportService
    doorway: Doorway

    def configure(self, settings: Settings, recorder: Recorder) -> None:
        """
        Take up, at the start and again later, who is let in.
        """
        recorder.peers = self.doorway.peers = PeerList(settings.peers)


def makeEntrance(
    reactor: Any, settings: Settings, layer: SipLayer, receiver: IMessageReceiver | None = None
) -> Entrance:
    """
    @param receiver: gets what is let in; by default the layer.
    """
    doorway = Doorway(layer, receiver or layer)
    transport = TransportService(reactor, settings.sip.listen, settings.sip.advertise, doorway)
    return Entrance(transport, doorway)
