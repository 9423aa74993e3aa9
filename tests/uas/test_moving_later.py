"""
Tests for L{siprec.uas.moving}: a move that the peer does not take at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from siprec.media.interfaces import ICapturedStream
from siprec.session.model import CallSnapshot
from siprec.testing.offer import makeMetadata
from tests.uas.kit import PEER, lines, offer
from tests.uas.test_moving import MOVED, OLD, MoveTestCase

LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])


class LaterTestCase(MoveTestCase):
    """
    The peer has refused; the old port may be free again.
    """

    def refuse(self) -> None:
        """
        The peer refuses what it is asked.
        """
        self.src.answer(self.asked(), 488)
        self.successResultOf(self.moving)

    def free(self) -> None:
        """
        Whoever had the old port gives it back.
        """
        for pair in list(self.house.ports.taken):
            if pair.rtpPort in self.taken:
                self.house.ports.release(pair)

    def count(self, kind: str) -> int:
        """
        @return: how many events of this type there are.
        """
        return self.house.events().count(kind)


class AgainTests(LaterTestCase):
    """
    What is refused is tried again.
    """

    def test_muchLater(self) -> None:
        """
        A minute later by itself; the manifest says the same thing once.
        """
        self.refuse()
        self.assertEqual(self.house.wait(59.5), [])
        self.src.answer(self.asked(0.5), 488)
        for _ in range(3):
            self.src.answer(self.asked(60), 488)
        self.assertEqual(self.count("mediaNotMoved"), 1)
        self.accept(self.asked(60))
        self.assertEqual(self.noted()["type"], "mediaMoved")
        self.assertEqual(self.house.wait(120), [])

    def test_peerSpeaks(self) -> None:
        """
        Sooner if the peer speaks: it can be reached again, and may have changed its
        mind.
        """
        self.refuse()
        self.house.wait(10)
        self.assertEqual(self.src.update(metadata=LATER).status, 200)
        self.accept(self.asked(1.125))

    def test_peerMoves(self) -> None:
        """
        If the peer itself asks for a description, nothing is left to do.
        """
        self.refuse()
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), MOVED)
        self.assertEqual(self.house.wait(120), [])
        self.assertEqual(self.house.ports.claims[-1][0], 10002)

    def test_oneAtATime(self) -> None:
        """
        A move that is under way is not begun again.
        """
        request = self.asked()
        self.assertIsNone(self.successResultOf(self.call.moveMedia()))
        self.assertEqual(self.house.wire.take(), [])
        self.accept(request)

    def test_over(self) -> None:
        """
        After the end of the call nothing is tried.
        """
        self.refuse()
        self.src.bye()
        self.assertEqual(self.house.wait(120), [])

    def test_learned(self) -> None:
        """
        What a peer takes is remembered, and not what it says for the moment.
        """
        takes: Callable[[str], bool | None] = self.house.around.peers.takesReinvite
        self.src.answer(self.asked(), 500)
        self.successResultOf(self.moving)
        self.assertIsNone(takes(PEER))
        self.src.answer(self.asked(60), 488)
        self.assertIs(takes(PEER), False)
        self.accept(self.asked(60))
        self.assertIs(takes(PEER), True)
        self.assertEqual(self.house.around.moves, {"refused": 1, "moved": 1})

    def test_learnedFromSilence(self) -> None:
        """
        One that never answers does not take it.
        """
        self.house.wait(33)
        self.assertIs(self.house.around.peers.takesReinvite(PEER), False)

    def test_movedByPeerTeachesNothing(self) -> None:
        """
        A peer that moves the media itself has not been seen to take our re-INVITE.
        """
        self.src.answer(self.asked(), 500, ("Retry-After", "5"))
        self.src.reinvite(sdp=offer(version=2))
        self.house.wait(10)
        self.successResultOf(self.moving)
        self.assertIsNone(self.house.around.peers.takesReinvite(PEER))


class OldAddressTests(LaterTestCase):
    """
    If the peer is not to be told, be where it sends to.
    """

    def test_back(self) -> None:
        """
        The ports that a dead node had may be free by now: then they are taken, and
        that is saved.
        """
        request = self.asked()
        self.free()
        self.src.answer(request, 488)
        self.successResultOf(self.moving)
        self.assertEqual(self.noted()["type"], "mediaAtOldAddress")
        self.assertEqual([pair.rtpPort for pair in self.house.ports.taken], [10002, 10000])
        saved = self.house.store.saved[-1].recording
        self.assertEqual([each.port for each in saved.streams], [10000, 10002])
        self.assertEqual(self.house.wait(120), [])
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), OLD)

    def test_backLater(self) -> None:
        """
        The same at a later attempt.
        """
        self.refuse()
        self.free()
        self.src.answer(self.asked(61), 488)
        self.assertEqual(self.noted()["type"], "mediaAtOldAddress")
        self.assertEqual(self.count("mediaNotMoved"), 1)

    def test_notAllowed(self) -> None:
        """
        Where only re-INVITEs are allowed, or the address is not this host's, that is
        not done.
        """
        self.house.around.ways = ("reinvite",)
        request = self.asked()
        self.free()
        self.src.answer(request, 488)
        self.house.around.ways = ("address", "reinvite")
        self.house.around.keeps = lambda host: False
        self.src.answer(self.asked(61), 488)
        self.assertNotIn("mediaAtOldAddress", self.house.events())

    def test_movedMeanwhile(self) -> None:
        """
        If the peer has been told of the new ports in between, it is told of the old
        ones.
        """
        request = self.asked()
        self.free()
        waiting: list[Deferred[ICapturedStream]] = []
        self.house.capture.waiting = waiting
        self.src.answer(request, 488)
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), MOVED)
        self.house.capture.waiting = None
        waiting[0].callback(self.house.capture.detached[-1][0])
        self.successResultOf(self.moving)
        again = self.asked(1.125)
        self.assertEqual(lines(again), OLD)
        self.accept(again)

    def test_endsMeanwhile(self) -> None:
        """
        A call that ends in between has nothing more to say.
        """
        request = self.asked()
        self.free()
        waiting: list[Deferred[ICapturedStream]] = []
        self.house.capture.waiting = waiting
        self.src.answer(request, 488)
        self.src.send(self.src.make("BYE"))
        self.house.capture.waiting = None
        self.house.wait(1)
        for done, (stream, _) in zip(waiting, self.house.capture.detached, strict=False):
            done.callback(stream)
        self.successResultOf(self.moving)
        self.assertNotIn("mediaAtOldAddress", self.house.events())
        self.assertEqual(self.house.wait(120), [])


class OnlyAddressTests(LaterTestCase):
    """
    The configuration allows no re-INVITE.
    """

    def again(self, later: float = 2.0) -> Any:
        """
        Start the recorder so.
        """
        snapshot: CallSnapshot = self.kill()
        self.start(later).around.ways = ("address",)
        return self.resume(snapshot)

    def test_notAsked(self) -> None:
        """
        The peer is not asked, and no status is put down that it never gave.
        """
        self.successResultOf(self.moving)
        self.assertEqual(self.house.wire.take(), [])
        noted = self.noted()
        self.assertEqual((noted["type"], noted["reason"]), ("mediaNotMoved", "notAllowed"))
        self.assertNotIn("status", self.noted())
        self.assertIsNone(self.house.around.peers.takesReinvite(PEER))

    def test_later(self) -> None:
        """
        The address is tried again.
        """
        self.house.wait(61)
        self.assertEqual(self.count("mediaNotMoved"), 1)
        self.free()
        self.assertEqual(self.house.wait(60), [])
        self.assertEqual(self.noted()["type"], "mediaAtOldAddress")


class BusyTests(LaterTestCase):
    """
    The call has no time for our offer.
    """

    def test_busy(self) -> None:
        """
        If the peer's own change does not come to an end, nothing has been asked, and
        that is what is noted.
        """
        self.src.answer(self.asked(), 491)
        waiting: list[Deferred[None]] = []
        self.house.store.waiting = waiting
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        self.house.wait(21)
        self.successResultOf(self.moving)
        self.assertEqual((self.noted()["type"], self.noted()["status"]), ("mediaNotMoved", 491))
        moving = self.call.moveMedia()
        self.house.wait(21)
        self.successResultOf(moving)
        self.assertEqual((self.noted()["type"], self.noted()["reason"]), ("mediaNotMoved", "busy"))
        self.house.store.waiting = None
        for done in waiting:
            done.callback(None)
