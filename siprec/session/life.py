"""
The life of one recorded call, as a pure state machine.

::

    opening --opened--> answered --ack--> established
       |                   |                  |
    failed             bye, stop,         bye, stop,
       |             unacknowledged          gone
       v                   v                  v
     ended <---------------+------------------+

C{opening} is the time between the INVITE and our final answer, while ports are
bound and the first files and the snapshot are written.  A call that is given
up in that time goes through C{abandoned}: what is being opened is still to be
closed again.

Inputs return effects, which the call carries out afterwards; every input is
listed in every state, because most of them are the peer's to send.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen
from automat import TypeMachineBuilder


@frozen
class Answer:
    """
    Send the 200 to the INVITE and repeat it until the ACK.
    """


@frozen
class Reject:
    """
    Send this final answer to the INVITE.

    @ivar text: for a Warning header, or C{None}.
    @ivar retryAfter: seconds for Retry-After (RFC 3261 section 20.33), or
        C{None}.
    @ivar headers: further ones.
    """

    status: int
    text: str | None = None
    retryAfter: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


@frozen
class SendBye:
    """
    End the dialog from our side (RFC 3261 section 15.1.1).

    @ivar cause: SIP status for the Reason header (RFC 3326).
    """

    cause: int
    text: str


@frozen
class Finish:
    """
    Close the files and make the audio.

    @ivar reason: C{endReason} of the manifest.
    """

    reason: str


Effect = Answer | Reject | SendBye | Finish
Effects = list[Effect]


class CallLife(Protocol):
    """
    Inputs, grouped by who gives them.
    """

    # The session service.
    def opened(self) -> Effects:
        """
        Ports, files and snapshot are there.
        """

    def failed(self, rejection: Reject) -> Effects:
        """
        They cannot be had.
        """

    # The peer.
    def ack(self) -> Effects:
        """
        The 200 has arrived.
        """

    def cancel(self) -> Effects:
        """
        A CANCEL matched the INVITE.
        """

    def bye(self) -> Effects:
        """
        A BYE in the dialog.
        """

    def gone(self) -> Effects:
        """
        The peer answered 481 to a request of ours.
        """

    # Time.
    def unacknowledged(self) -> Effects:
        """
        64*T1 without an ACK (RFC 3261 section 13.3.1.4).
        """

    # The operator.
    def stop(self, cause: int, reason: str) -> Effects:
        """
        The call is to end here.

        @param cause: SIP status that says why (RFC 3326).
        """


class _Core:
    """
    The machine has no data of its own.
    """


def _build() -> TypeMachineBuilder[CallLife, _Core]:
    builder = TypeMachineBuilder(CallLife, _Core)
    opening = builder.state("opening")
    abandoned = builder.state("abandoned")
    answered = builder.state("answered")
    established = builder.state("established")
    ended = builder.state("ended")

    opening.upon(CallLife.opened).to(answered).returns([Answer()])
    answered.upon(CallLife.ack).to(established).returns([])
    for state in (answered, established):
        state.upon(CallLife.bye).to(ended).returns([Finish("bye")])
        state.upon(CallLife.gone).to(ended).returns([Finish("peerGone")])
        # The CANCEL lost the race against our 200 (RFC 3261 section 9.2): the
        # peer ends the call with ACK and BYE.
        state.upon(CallLife.cancel).loop().returns([])
        # RFC 3261 section 13.3.1.4: the session SHOULD be ended.  What was
        # captured is kept.
        state.upon(CallLife.unacknowledged).to(ended).returns(
            [SendBye(408, "No ACK"), Finish("noAck")]
        )

    @opening.upon(CallLife.failed).to(ended)
    def reject(life: CallLife, core: _Core, rejection: Reject) -> Effects:
        return [rejection]

    @opening.upon(CallLife.cancel).to(abandoned)
    def cancelled(life: CallLife, core: _Core) -> Effects:
        return [Reject(487)]

    @opening.upon(CallLife.stop).to(abandoned)
    def refused(life: CallLife, core: _Core, cause: int, reason: str) -> Effects:
        return [Reject(503, retryAfter=5)]

    abandoned.upon(CallLife.opened).to(ended).returns([Finish("cancelled")])
    abandoned.upon(CallLife.failed).to(ended).returns([])

    @answered.upon(CallLife.stop).to(ended)
    @established.upon(CallLife.stop).to(ended)
    def stopped(life: CallLife, core: _Core, cause: int, reason: str) -> Effects:
        return [SendBye(cause, reason), Finish(reason)]

    # Absorbed: none of these may end in NoTransition, or a peer could cause it.
    established.upon(CallLife.ack).loop().returns([])
    for state in (answered, established):
        state.upon(CallLife.opened).loop().returns([])
        state.upon(CallLife.failed).loop().returns([])
    for name in ("ack", "bye", "gone", "unacknowledged"):
        opening.upon(getattr(CallLife, name)).loop().returns([])
        abandoned.upon(getattr(CallLife, name)).loop().returns([])
    for name in ("cancel", "stop"):
        abandoned.upon(getattr(CallLife, name)).loop().returns([])
    for name in ("opened", "failed", "ack", "cancel", "bye", "gone", "unacknowledged", "stop"):
        ended.upon(getattr(CallLife, name)).loop().returns([])
    return builder


_machine = _build().build()


def callLife() -> CallLife:
    """
    @return: the machine of a new call, in C{opening}.
    """
    return _machine(_Core())
