"""
What the shell asks of the node that it shows.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

from siprec.config import Settings
from siprec.media.loop import CaptureCounters
from siprec.metrics import Metrics
from siprec.recorder import Recorder
from siprec.session.recordings import Recordings
from siprec.web.interfaces import INodeControl

__all__ = ["ICaptureState", "IShellNode"]


class ICaptureState(Interface):
    """
    The capture, as far as it is looked at.
    """

    counters: CaptureCounters = Attribute("How it fares.")


class IShellNode(INodeControl):
    """
    A node.  The shell reads of its parts and changes nothing but by
    L{INodeControl}.
    """

    settings: Settings = Attribute("What it was configured with.")
    metrics: Metrics = Attribute("What it counts.")
    sessions: Recordings = Attribute("Its recordings.")
    recorder: Recorder = Attribute("Its calls.")
    capture: ICaptureState = Attribute("Its capture.")
    store: object = Attribute("Where its state is: ISnapshotStore, ISessionStore or both.")
    sipAddresses: list[tuple[str, str, int]] = Attribute(
        "Transport, host and port of each SIP listener."
    )
    httpAddress: tuple[str, int] | None = Attribute("Host and port of the HTTP server.")
