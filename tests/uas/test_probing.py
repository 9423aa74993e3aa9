"""
Tests of L{siprec.uas.probing}.
"""

from __future__ import annotations

from siprec.sip.interfaces import Abandoned
from siprec.sip.message import Request, Response
from siprec.uas import probing
from siprec.uas.call import Call
from siprec.uas.probing import Probing
from tests.uas.kit import RecorderTestCase


class ProbingTests(RecorderTestCase):
    """
    A call of which nothing is heard for 300 seconds.
    """

    def setUp(self) -> None:
        super().setUp()
        self.probing = Probing(self.house.around, 300.0)
        self.src.call()

    @property
    def call(self) -> Call:
        """
        The call.
        """
        [call] = self.house.recorder.calls.values()
        return call

    def look(self, seconds: float = 0.0) -> list[Request | Response]:
        """
        @param seconds: since the last look.
        @return: what has been sent.
        """
        sent = self.house.wait(seconds)
        self.probing.look(list(self.house.recorder.calls.values()))
        return sent + self.house.wire.take()

    def asked(self) -> Request:
        """
        @return: the OPTIONS that is sent when it is time.
        """
        return self.only(self.look(300), "OPTIONS")

    def test_alive(self) -> None:
        """
        The peer is asked in the dialog, by the next number, which is saved before; its
        answer is a sign of life, even that it does not do such things.
        """
        self.assertEqual(self.look(299.5), [])
        saved = len(self.house.store.saved)
        request = self.only(self.look(0.5), "OPTIONS")
        self.assertEqual(self.house.store.saved[saved].dialog.localCSeq, request.cseq.number)
        self.assertEqual(request.toTag, "theirs")
        self.assertEqual(self.look(), [])
        self.src.answer(request, 501)
        self.assertEqual(self.look(299.5), [])
        self.only(self.look(1), "OPTIONS")
        self.assertEqual(len(self.house.recorder.calls), 1)

    def test_media(self) -> None:
        """
        Media is a sign of life, too, even if nothing is kept of it.
        """
        self.house.wait(200)
        self.house.capture.attached[0].discardedArrival = self.house.now()
        self.assertEqual(self.look(299), [])
        self.only(self.look(1), "OPTIONS")

    def test_E14_gone(self) -> None:
        """
        Where the peer knows of no such dialog, the call is over, and there is nobody to
        say BYE to.
        """
        self.assertEqual(self.src.answer(self.asked(), 481), [])
        self.house.wait(1)
        self.assertEqual(self.house.manifest["endReason"], "peerGone")
        self.assertEqual(self.house.recorder.calls, {})

    def test_E14_noAnswer(self) -> None:
        """
        A peer that does not answer twice in a row is dead: its call is ended by a BYE
        that says why.
        """
        self.asked()
        self.house.wait(33)
        self.assertEqual(len(self.house.recorder.calls), 1)
        self.only(self.look(), "OPTIONS")
        bye = [
            each
            for each in self.house.wait(33)
            if isinstance(each, Request) and each.method == "BYE"
        ]
        self.assertIn("cause=408", bye[0].headers.get("Reason") or "")
        self.assertEqual(self.house.manifest["endReason"], "timeout")
        self.assertIn("noSignOfLife", self.house.events())

    def test_E14_proxy(self) -> None:
        """
        A proxy's 408 is no answer; one that comes later makes it count from the beginning.
        """
        self.src.answer(self.asked(), 408)
        self.src.answer(self.only(self.look(), "OPTIONS"), 200)
        self.src.answer(self.asked(), 408)
        self.assertEqual(len(self.house.recorder.calls), 1)
        self.src.answer(self.only(self.look(), "OPTIONS"), 408)
        self.assertEqual(self.house.recorder.calls, {})

    def test_spoke(self) -> None:
        """
        So does any request of the peer's.
        """
        self.src.answer(self.asked(), 408)
        self.src.update()
        self.look()
        self.src.answer(self.asked(), 408)
        self.assertEqual(len(self.house.recorder.calls), 1)

    def test_unreachable(self) -> None:
        """
        A peer that cannot be reached does not answer.
        """
        self.house.wire.gone = True
        self.look(300)
        self.assertEqual(len(self.house.recorder.calls), 1)
        self.look()
        self.assertEqual(self.house.recorder.calls, {})

    def test_notAsked(self) -> None:
        """
        A peer that has said that it takes no OPTIONS is not asked, and nobody is whose
        ACK has not come.
        """
        self.src.update(("Allow", "INVITE, ACK, BYE, UPDATE"))
        self.call.peerAllows = frozenset(("INVITE", "BYE"))
        self.assertEqual(self.look(301), [])
        self.call.peerAllows = frozenset(("INVITE", "OPTIONS"))
        self.only(self.look(), "OPTIONS")

    def test_over(self) -> None:
        """
        If the call ends while the peer is asked, that is all.
        """
        request = self.asked()
        self.src.bye()
        self.src.answer(request, 481)
        self.house.wait(1)
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_fenced(self) -> None:
        """
        If the save shows that the call is another node's, the peer is not asked.
        """
        self.house.wait(300)
        self.house.store.onSave = lambda snapshot: self.house.recorder.letGo(snapshot.key)
        self.assertEqual(self.look(), [])

    def test_abandoned(self) -> None:
        """
        If another process takes the dialog meanwhile, the silence means nothing.
        """

        async def send(*args: object) -> Response:
            raise Abandoned("taken")

        self.patch(type(self.house.around.outgoing), "send", send)
        for _ in range(3):
            self.look(300)
        self.assertEqual(len(self.house.recorder.calls), 1)

    def test_cutOff(self) -> None:
        """
        A node that was cut off meanwhile believes no silence.
        """
        self.asked()
        self.house.around.isCutOff = lambda: True
        self.house.wait(33)
        self.house.around.isCutOff = lambda: False
        self.only(self.look(), "OPTIONS")
        self.house.wait(33)
        self.assertEqual(len(self.house.recorder.calls), 1)

    def test_many(self) -> None:
        """
        Only so many are asked at a time.
        """
        self.patch(probing, "_AT_ONCE", 0)
        self.assertEqual(self.look(300), [])

    def test_broken(self) -> None:
        """
        What nobody foresaw is logged, and the call is asked again.
        """

        async def send(*args: object) -> Response:
            raise ZeroDivisionError

        self.patch(type(self.house.around.outgoing), "send", send)
        self.look(300)
        self.look()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
