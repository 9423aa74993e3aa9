"""
Server transactions (RFC 3261 section 17.2, with the corrections of RFC 6026),
and the effects that every transaction machine returns.

The machines are pure: an input returns the list of effects that a shell
(L{siprec.sip.runner}) has to carry out, in order.  A peer chooses which
messages arrive and when, so each machine lists every input in every state; what
has no meaning in a state returns no effects.
"""

from typing import Protocol

from attrs import define, frozen
from automat import TypeMachineBuilder

from siprec.sip.message import Request, Response

T1 = 0.5
"""Estimate of the round trip time, in seconds (RFC 3261 section 17.1.1.1)."""

T2 = 4.0
"""Longest interval between retransmissions, in seconds."""

T4 = 5.0
"""Longest time a message stays in the network, in seconds."""

LIFETIME = 64 * T1
"""Seconds after which a transaction is given up: timers B, F, H, J, L and M."""


@frozen
class Send:
    """
    Send a message to the peer of the transaction.

    @ivar message: the machines of this package give bytes, serialised once and
        sent as they are each time; other machines may give a message.
    """

    message: Request | Response | bytes


@frozen
class StartTimer:
    """
    Give the timer input C{name} after C{seconds}; a running one starts anew.
    """

    name: str
    seconds: float


@frozen
class StopTimer:
    """
    Forget the timer C{name}, if it runs.
    """

    name: str


@frozen
class Deliver:
    """
    Pass a message to the transaction user.
    """

    message: Request | Response


@frozen
class TimedOut:
    """
    The peer did not do its part in time.
    """


@frozen
class TransportFailed:
    """
    A message could not be handed to the transport.
    """


@frozen
class Finished:
    """
    The transaction is over: forget it and all its timers.
    """


Effect = Send | StartTimer | StopTimer | Deliver | TimedOut | TransportFailed | Finished
Effects = list[Effect]


@define(eq=False, repr=False)
class ServerCore:
    """
    What a server transaction remembers.

    @ivar reliable: the transport retransmits by itself (TCP, TLS).
    @ivar last: the last response as sent, or empty.
    @ivar interval: seconds between the last two retransmissions.
    """

    reliable: bool
    last: bytes = b""
    interval: float = T1

    def again(self) -> Effects:
        """
        @return: the effects that repeat the last response, if there is one.
        """
        return [Send(self.last)] if self.last else []


class Server(Protocol):
    """
    Inputs of both server transactions.
    """

    def again(self) -> Effects:
        """
        The request came again.
        """

    def ack(self, request: Request) -> Effects:
        """
        An ACK came that matches this transaction.
        """

    def provisional(self, data: bytes) -> Effects:
        """
        Answer 1xx; to other requests than INVITE only 100 (RFC 4320 section 4.1).
        """

    def accepted(self, data: bytes) -> Effects:
        """
        The user answers 2xx, or repeats it.
        """

    def rejected(self, data: bytes) -> Effects:
        """
        The user answers 3xx to 6xx.
        """

    def transportFailed(self) -> Effects:
        """
        What was to be sent could not be sent.
        """


class InviteServer(Server, Protocol):
    """
    Inputs of an INVITE server transaction (RFC 3261 section 17.2.1, RFC 6026).
    """

    def timerG(self) -> Effects:
        """
        Time to repeat the rejection.
        """

    def timerH(self) -> Effects:
        """
        No ACK to the rejection came.
        """

    def timerI(self) -> Effects:
        """
        No more ACKs are on their way.
        """

    def timerL(self) -> Effects:
        """
        No more copies of the accepted INVITE are on their way (RFC 6026).
        """


def _inviteServer() -> "TypeMachineBuilder[InviteServer, ServerCore]":
    builder = TypeMachineBuilder(InviteServer, ServerCore)
    proceeding = builder.state("proceeding")
    accepted = builder.state("accepted")
    completed = builder.state("completed")
    confirmed = builder.state("confirmed")
    terminated = builder.state("terminated")

    @proceeding.upon(InviteServer.again).loop()
    def repeatProvisional(tx: InviteServer, core: ServerCore) -> Effects:
        return core.again()

    @proceeding.upon(InviteServer.provisional).loop()
    def progress(tx: InviteServer, core: ServerCore, data: bytes) -> Effects:
        core.last = data
        return [Send(data)]

    @proceeding.upon(InviteServer.accepted).to(accepted)
    def accept(tx: InviteServer, core: ServerCore, data: bytes) -> Effects:
        # The user repeats the 2xx, on every transport, so it is not kept here.
        core.last = b""
        return [Send(data), StartTimer("L", LIFETIME)]

    @proceeding.upon(InviteServer.rejected).to(completed)
    def reject(tx: InviteServer, core: ServerCore, data: bytes) -> Effects:
        core.last = data
        effects: Effects = [Send(data), StartTimer("H", LIFETIME)]
        if not core.reliable:
            effects.append(StartTimer("G", T1))
        return effects

    @accepted.upon(InviteServer.accepted).loop()
    def repeatAccepted(tx: InviteServer, core: ServerCore, data: bytes) -> Effects:
        return [Send(data)]

    @accepted.upon(InviteServer.ack).loop()
    def passAck(tx: InviteServer, core: ServerCore, request: Request) -> Effects:
        # RFC 6026 section 7.1: an ACK is never absorbed in this state.  Its
        # branch should differ from the INVITE's, but some peers reuse it.
        return [Deliver(request)]

    accepted.upon(InviteServer.timerL).to(terminated).returns([Finished()])

    @completed.upon(InviteServer.again).loop()
    def repeatRejection(tx: InviteServer, core: ServerCore) -> Effects:
        return core.again()

    @completed.upon(InviteServer.timerG).loop()
    def retransmit(tx: InviteServer, core: ServerCore) -> Effects:
        core.interval = min(2 * core.interval, T2)
        return [*core.again(), StartTimer("G", core.interval)]

    completed.upon(InviteServer.timerH).to(terminated).returns([Finished(), TimedOut()])

    @completed.upon(InviteServer.ack).to(confirmed)
    def confirm(tx: InviteServer, core: ServerCore, request: Request) -> Effects:
        core.last = b""
        seconds = 0.0 if core.reliable else T4
        return [StopTimer("G"), StopTimer("H"), StartTimer("I", seconds)]

    confirmed.upon(InviteServer.timerI).to(terminated).returns([Finished()])

    # RFC 6026 section 7.1: a failing transport must not destroy the state, for a
    # retransmitted INVITE would then be taken for a new one.
    for state in (proceeding, accepted, completed):
        state.upon(InviteServer.transportFailed).loop().returns([TransportFailed()])
    for state in (confirmed, terminated):
        state.upon(InviteServer.transportFailed).loop().returns([])
    # A stray or late input is the peer's doing and must not raise NoTransition.
    for state in (accepted, confirmed, terminated):
        state.upon(InviteServer.again).loop().returns([])
    for state in (proceeding, confirmed, terminated):
        state.upon(InviteServer.ack).loop().returns([])
    for state in (accepted, completed, confirmed, terminated):
        state.upon(InviteServer.provisional).loop().returns([])
        state.upon(InviteServer.rejected).loop().returns([])
    for state in (completed, confirmed, terminated):
        state.upon(InviteServer.accepted).loop().returns([])
    for state in (proceeding, accepted, confirmed, terminated):
        state.upon(InviteServer.timerG).loop().returns([])
        state.upon(InviteServer.timerH).loop().returns([])
    for state in (proceeding, accepted, completed, terminated):
        state.upon(InviteServer.timerI).loop().returns([])
    for state in (proceeding, completed, confirmed, terminated):
        state.upon(InviteServer.timerL).loop().returns([])
    return builder


class NonInviteServer(Server, Protocol):
    """
    Inputs of a non-INVITE server transaction (RFC 3261 section 17.2.2).
    """

    def timerJ(self) -> Effects:
        """
        No more copies of the request are on their way.
        """


def _nonInviteServer() -> "TypeMachineBuilder[NonInviteServer, ServerCore]":
    builder = TypeMachineBuilder(NonInviteServer, ServerCore)
    trying = builder.state("trying")
    proceeding = builder.state("proceeding")
    completed = builder.state("completed")
    terminated = builder.state("terminated")

    def progress(tx: NonInviteServer, core: ServerCore, data: bytes) -> Effects:
        core.last = data
        return [Send(data)]

    def finish(tx: NonInviteServer, core: ServerCore, data: bytes) -> Effects:
        core.last = data
        return [Send(data), StartTimer("J", 0.0 if core.reliable else LIFETIME)]

    def repeatLast(tx: NonInviteServer, core: ServerCore) -> Effects:
        return core.again()

    trying.upon(NonInviteServer.provisional).to(proceeding)(progress)
    proceeding.upon(NonInviteServer.provisional).loop()(progress)
    for state in (trying, proceeding):
        state.upon(NonInviteServer.accepted).to(completed)(finish)
        state.upon(NonInviteServer.rejected).to(completed)(finish)
    for state in (proceeding, completed):
        state.upon(NonInviteServer.again).loop()(repeatLast)
    completed.upon(NonInviteServer.timerJ).to(terminated).returns([Finished()])

    # RFC 6026 section 7.1 holds here too: the state stays.
    for state in (trying, proceeding, completed):
        state.upon(NonInviteServer.transportFailed).loop().returns([TransportFailed()])
    terminated.upon(NonInviteServer.transportFailed).loop().returns([])
    for state in (trying, terminated):
        state.upon(NonInviteServer.again).loop().returns([])
    for state in (completed, terminated):
        state.upon(NonInviteServer.provisional).loop().returns([])
        state.upon(NonInviteServer.accepted).loop().returns([])
        state.upon(NonInviteServer.rejected).loop().returns([])
    for state in (trying, proceeding, terminated):
        state.upon(NonInviteServer.timerJ).loop().returns([])
    for state in (trying, proceeding, completed, terminated):
        state.upon(NonInviteServer.ack).loop().returns([])
    return builder


_InviteServerMachine = _inviteServer().build()
_NonInviteServerMachine = _nonInviteServer().build()


def inviteServer(reliable: bool) -> InviteServer:
    """
    @param reliable: the INVITE came over TCP or TLS.
    @return: a new INVITE server transaction, its INVITE being with the user.
    """
    return _InviteServerMachine(ServerCore(reliable))


def nonInviteServer(reliable: bool) -> NonInviteServer:
    """
    @param reliable: the request came over TCP or TLS.
    @return: a new non-INVITE server transaction, its request being with the user.
    """
    return _NonInviteServerMachine(ServerCore(reliable))
