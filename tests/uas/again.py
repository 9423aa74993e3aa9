"""
A second life of a recorder: what the first one left in the store and on the
disk goes on in another L{House}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from siprec.session.live import LiveRecording
from siprec.session.model import CallSnapshot, SessionData
from siprec.store.codec import decode, encode
from siprec.testing.fakes import FakePortPool
from siprec.uas.call import Call
from tests.uas.house import House
from tests.uas.kit import RecorderTestCase


def stored(snapshot: CallSnapshot) -> CallSnapshot:
    """
    @return: the snapshot as it comes back from a store.
    """
    recording = snapshot.recording
    data = SessionData(
        sessionID=recording.id,
        callID=recording.callID,
        status=recording.state,
        startTime=recording.startTime,
        lastUpdate=snapshot.lastActivity,
        recordingPath=recording.directory,
        nodeID=recording.segments[-1].node,
        snapshot=snapshot,
    )
    found = decode(encode(data)).snapshot
    assert found is not None
    return found


class AgainTestCase(RecorderTestCase):
    """
    A call runs; L{kill} ends its recorder as C{kill -9} would, and L{again}
    starts it once more.

    @ivar taken: RTP ports that somebody else has by then.
    """

    taken: tuple[int, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.first = self.house

    def kill(self) -> CallSnapshot:
        """
        @return: what is in the store.
        """
        first = self.house
        snapshot = stored(first.store.saved[-1])
        first.running.release()
        self.later = first.clock.seconds()
        for delayed in first.clock.getDelayedCalls():
            delayed.cancel()
        return snapshot

    def start(self, later: float = 2.0) -> House:
        """
        Start another recorder on the same directory.
        """
        house = House(self.first.root)
        house.clock.advance(self.later + later)
        house.ports = FakePortPool(10000, 20, failure=OSError(98, "Address already in use"))
        house.service.equipment = evolve(house.service.equipment, ports=house.ports)
        for port in self.taken:
            house.ports.claim("192.0.2.1", port)
        self.house = self.src.house = house
        return house

    def resume(self, snapshot: CallSnapshot) -> Call:
        """
        Go on with a call.
        """
        live = self.resumeRecording(snapshot)
        resuming = Deferred.fromCoroutine(self.house.recorder.resume(snapshot, live))
        outcomes: list[Call | Failure] = []
        resuming.addBoth(outcomes.append)
        [call] = outcomes
        assert isinstance(call, Call), call
        return call

    def resumeRecording(self, snapshot: CallSnapshot) -> LiveRecording:
        """
        Go on with its recording alone.
        """
        return self.successResultOf(
            Deferred.fromCoroutine(self.house.service.resume(snapshot, epoch=2))
        )

    def again(self, later: float = 2.0) -> Call:
        """
        L{kill}, L{start} and L{resume}.

        @param later: seconds between the two lives.
        """
        snapshot = self.kill()
        self.start(later)
        return self.resume(snapshot)

    def _close(self) -> None:
        for pair in list(self.house.ports.taken):
            if pair.rtpPort in self.taken:
                self.house.ports.release(pair)
        super()._close()
