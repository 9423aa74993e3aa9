"""
What a node has for its recordings.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import Factory, field, frozen
from twisted.internet.interfaces import IReactorTime

from siprec.ids import NodeID
from siprec.media.interfaces import ICapture, IPortPool
from siprec.metrics import Metrics
from siprec.session.interfaces import IRenderer, IWorkers
from siprec.session.keeper import SnapshotKeeper
from siprec.session.postponed import AtOnce, Turns
from siprec.session.running import RunningRecordings
from siprec.store.interfaces import ISnapshotStore

__all__ = ["Equipment"]


@frozen(eq=False, repr=False, kw_only=True)
class Equipment:
    """
    What recordings begin, go on and are finished with.

    @ivar root: the recordings directory, absolute.
    @ivar store: where the snapshots of their calls are.
    @ivar running: knows which are not finished.
    @ivar syncers: do what waits for the disk, so that calls that begin need not.
    @ivar postponed: when to do what nobody waits for.
    @ivar now: gives seconds since the Unix epoch.
    """

    node: NodeID
    root: str
    store: ISnapshotStore | SnapshotKeeper
    ports: IPortPool
    capture: ICapture
    renderer: IRenderer
    workers: IWorkers
    running: RunningRecordings
    clock: IReactorTime
    now: Callable[[], float]
    metrics: Metrics
    syncers: IWorkers = field(default=Factory(lambda self: self.workers, takes_self=True))
    postponed: Turns = field(factory=AtOnce)
