"""
Tests of L{siprec.session.life}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.life import Answer, CallLife, Finish, Reject, SendBye, callLife

FULL = Reject(503, "no free port", 5)


def give(life: CallLife, name: str) -> list[object]:
    """
    @return: the effects of one input by name.
    """
    if name == "failed":
        return list(life.failed(FULL))
    if name == "stop":
        return list(life.stop(503, "drained"))
    return list(getattr(life, name)())


class LifeTests(SynchronousTestCase):
    """
    Input by input, the exact effects.
    """

    def check(self, *steps: tuple[str, list[object]]) -> None:
        """
        A new life takes these inputs with these effects.
        """
        life = callLife()
        for name, effects in steps:
            self.assertEqual(give(life, name), effects, name)

    def test_ordinaryCall(self) -> None:
        """
        INVITE, 200, ACK, BYE.
        """
        self.check(("opened", [Answer()]), ("ack", []), ("bye", [Finish("bye")]))

    def test_byeBeforeAck(self) -> None:
        """
        A BYE may come before the ACK; it ends the call all the same.
        """
        self.check(("opened", [Answer()]), ("bye", [Finish("bye")]), ("ack", []))

    def test_notOpened(self) -> None:
        """
        What cannot be opened is refused and leaves nothing behind.
        """
        self.check(("failed", [FULL]), ("opened", []))

    def test_cancelWhileOpening(self) -> None:
        """
        A CANCEL before our answer is a 487, and what was being opened is
        closed again (RFC 3261 section 9.2).
        """
        self.check(("cancel", [Reject(487)]), ("cancel", []), ("opened", [Finish("cancelled")]))

    def test_cancelThenFailure(self) -> None:
        """
        A cancelled call that could not be opened has been answered already.
        """
        self.check(("cancel", [Reject(487)]), ("failed", []))

    def test_lateCancel(self) -> None:
        """
        A CANCEL after the 200 has no effect on the call.
        """
        self.check(("opened", [Answer()]), ("cancel", []), ("ack", []), ("cancel", []))

    def test_noAck(self) -> None:
        """
        Without an ACK the dialog is ended with a BYE and the media kept (RFC
        3261 section 13.3.1.4).
        """
        end = [SendBye(408, "No ACK"), Finish("noAck")]
        self.check(("opened", [Answer()]), ("unacknowledged", end))
        self.check(("opened", [Answer()]), ("ack", []), ("unacknowledged", end))

    def test_stop(self) -> None:
        """
        An operator's stop is a 503 before our answer and a BYE after it.
        """
        bye = [SendBye(503, "drained"), Finish("drained")]
        self.check(("stop", [Reject(503, retryAfter=5)]), ("opened", [Finish("cancelled")]))
        self.check(("opened", [Answer()]), ("stop", bye))
        self.check(("opened", [Answer()]), ("ack", []), ("stop", bye))

    def test_peerGone(self) -> None:
        """
        A 481 to our own request ends the recording without another word.
        """
        self.check(("opened", [Answer()]), ("ack", []), ("gone", [Finish("peerGone")]))

    def test_everyInputInEveryState(self) -> None:
        """
        No input raises in any state.
        """
        inputs = ("opened", "failed", "ack", "cancel", "bye", "gone", "unacknowledged", "stop")
        ways: list[tuple[str, ...]] = [(), ("cancel",), ("opened",), ("opened", "ack"), ("failed",)]
        for way in ways:
            for name in inputs:
                life = callLife()
                for step in way:
                    give(life, step)
                self.assertIsInstance(give(life, name), list)
