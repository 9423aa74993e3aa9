"""
Tests of L{siprec.uas.upkeep}.
"""

from __future__ import annotations

from siprec.sip.message import Request
from siprec.uas.upkeep import Upkeep
from tests.uas.kit import ONE, TWO, RecorderTestCase, offer


class UpkeepTests(RecorderTestCase):
    """
    A node with one call.
    """

    def upkeep(
        self, mediaTimeout: float = 0.0, probeAfter: float = 0.0, maxLength: float = 0.0
    ) -> Upkeep:
        """
        @return: one that has begun, with a call.
        """
        upkeep = Upkeep(
            self.house.around,
            self.house.recorder.calls.values,
            mediaTimeout=mediaTimeout,
            probeAfter=probeAfter,
            maxLength=maxLength,
        )
        upkeep.startService()
        self.addCleanup(upkeep.stopService)
        self.src.call()
        self.house.wire.take()
        return upkeep

    def byes(self, seconds: float) -> list[Request]:
        """
        Let time go by.

        @return: the BYEs that were sent meanwhile, but for repetitions; they are answered.
        """
        found = {}
        for message in self.house.wait(seconds):
            if isinstance(message, Request) and message.method == "BYE":
                self.src.answer(message)
                found[message.cseq.number] = message
        return list(found.values())

    def test_E14_noMedia(self) -> None:
        """
        Streams on which nothing comes are told of, in the store as well, and counted; those
        that are silent now are counted by themselves.
        """
        upkeep = self.upkeep(mediaTimeout=30)
        saved = len(self.house.store.saved)
        self.house.wait(29)
        self.assertEqual((upkeep.silences, upkeep.silent), (0, 0))
        self.house.wait(10)
        self.assertEqual((upkeep.silences, upkeep.silent), (2, 2))
        self.assertEqual(self.house.events(), ["noMedia", "noMedia"])
        self.assertEqual(len(self.house.store.saved), saved + 1)
        self.house.capture.attached[0].packets = 1
        self.house.wait(5)
        self.assertEqual((upkeep.silences, upkeep.silent), (2, 1))
        self.assertEqual(self.house.events()[2:], ["mediaAgain"])
        self.src.bye()
        self.house.wait(5)
        self.assertEqual((upkeep.silences, upkeep.silent), (2, 0))

    def test_held(self) -> None:
        """
        What the peer holds by a null address is not due.
        """
        self.upkeep(mediaTimeout=30)
        self.src.reinvite(sdp=offer(ONE, TWO, version=2, host="0.0.0.0"))
        self.house.wait(60)
        self.assertNotIn("noMedia", self.house.events())

    def test_probing(self) -> None:
        """
        Peers of which nothing is heard are asked.
        """
        self.upkeep(probeAfter=300)
        self.assertEqual(self.house.wait(299), [])
        request = self.only(self.house.wait(5)[:1], "OPTIONS")
        self.src.answer(request)

    def test_maxLength(self) -> None:
        """
        A call that has become too long is ended by a BYE that says why, though it has
        media; so does its recording.
        """
        self.upkeep(maxLength=600)
        self.assertEqual(self.byes(599), [])
        [bye] = self.byes(6)
        self.assertEqual(bye.headers.get("Reason"), 'SIP;cause=200;text="maxLength"')
        self.assertEqual(self.house.manifest["endReason"], "maxLength")
        [event] = [each for each in self.house.manifest["events"] if each["type"] == "maxLength"]
        self.assertEqual(event["seconds"], 600)

    def test_maxLengthFenced(self) -> None:
        """
        If the save shows that the call is another node's, nothing is said.
        """
        self.upkeep(maxLength=600)
        self.house.store.onSave = lambda snapshot: self.house.recorder.letGo(snapshot.key)
        self.assertEqual(self.house.wait(610), [])

    def test_maxLengthSlow(self) -> None:
        """
        While the store has not answered the call is not ended twice.
        """
        self.upkeep(maxLength=600)
        self.house.wait(590)
        self.house.store.waiting = []
        self.house.wait(30)
        [saving] = self.house.store.waiting
        self.house.store.waiting = None
        saving.callback(None)
        self.assertEqual(len(self.byes(0)), 1)

    def test_cutOff(self) -> None:
        """
        A node whose calls may be another's asks nobody and ends nothing.
        """
        self.upkeep(probeAfter=300, maxLength=300)
        self.house.around.isCutOff = lambda: True
        self.assertEqual(self.house.wait(400), [])
        self.house.around.isCutOff = lambda: False
        self.assertNotEqual(self.house.wait(5), [])

    def test_off(self) -> None:
        """
        With all of them 0 nothing is done, however long it takes.
        """
        upkeep = self.upkeep()
        self.assertEqual(self.house.wait(900), [])
        self.assertEqual((upkeep.silences, self.house.events()), (0, []))

    def test_stopped(self) -> None:
        """
        After its end nothing is looked at.
        """
        upkeep = self.upkeep(maxLength=60)
        self.successResultOf(upkeep.stopService())
        self.assertEqual(self.house.wait(100), [])
