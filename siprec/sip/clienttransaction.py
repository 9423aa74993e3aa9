"""
Client transactions (RFC 3261 section 17.1, with the Accepted state of RFC 6026).
"""

from typing import Protocol

from attrs import define
from automat import TypeMachineBuilder

from siprec.sip.headers import Headers
from siprec.sip.message import Request, Response
from siprec.sip.transaction import (
    LIFETIME,
    T1,
    T2,
    T4,
    Deliver,
    Effects,
    Finished,
    Send,
    StartTimer,
    StopTimer,
    TimedOut,
    TransportFailed,
)


def _hopByHop(request: Request, method: str, to: str, copied: tuple[str, ...]) -> Request:
    """
    Make a request that belongs to the transaction of another one: its own Via,
    and no other, with the same branch (RFC 3261 sections 9.1 and 17.1.1.3).
    """
    headers = request.headers
    fields = [("Via", headers.values("Via")[0])]
    fields += [("Route", value) for value in headers.getAll("Route")]
    fields += [
        ("Max-Forwards", "70"),
        ("From", headers.get("From") or ""),
        ("To", to),
        ("Call-ID", request.callID),
        ("CSeq", f"{request.cseq.number} {method}"),
    ]
    fields += [(name, value) for name in copied for value in headers.getAll(name)]
    return Request(method, request.uri, Headers(fields))


def ackFor(invite: Request, response: Response) -> Request:
    """
    Make the ACK to a 3xx to 6xx (RFC 3261 section 17.1.1.3).

    @param invite: as sent, with our Via on top.
    @return: the ACK, ready to send: with the INVITE's own branch, and with its
        credentials (section 22.1), since an ACK cannot be challenged.
    """
    to = response.headers.get("To") or ""
    return _hopByHop(invite, "ACK", to, ("Authorization", "Proxy-Authorization"))


def cancelFor(request: Request) -> Request:
    """
    Make the CANCEL of a request (RFC 3261 section 9.1), ready to send.

    @param request: as sent, with our Via on top.
    """
    return _hopByHop(request, "CANCEL", request.headers.get("To") or "", ())


@define(eq=False, repr=False)
class ClientCore:
    """
    What a client transaction remembers.

    @ivar request: as sent, with our Via on top.
    @ivar data: the request in bytes.
    @ivar reliable: the transport retransmits by itself (TCP, TLS).
    @ivar interval: seconds between the last two retransmissions.
    @ivar acknowledgement: the ACK to a rejection, in bytes, or empty.
    """

    request: Request
    data: bytes
    reliable: bool
    interval: float = T1
    acknowledgement: bytes = b""


class Client(Protocol):
    """
    Inputs of both client transactions.
    """

    def start(self) -> Effects:
        """
        Send the request.
        """

    def provisional(self, response: Response) -> Effects:
        """
        A 1xx came.
        """

    def accepted(self, response: Response) -> Effects:
        """
        A 2xx came.
        """

    def rejected(self, response: Response) -> Effects:
        """
        A 3xx to 6xx came.
        """

    def transportFailed(self) -> Effects:
        """
        What was to be sent could not be sent.
        """


class InviteClient(Client, Protocol):
    """
    Inputs of an INVITE client transaction (RFC 3261 section 17.1.1, RFC 6026).
    """

    def timerA(self) -> Effects:
        """
        Time to send the INVITE again.
        """

    def timerB(self) -> Effects:
        """
        Nothing at all came back.
        """

    def timerD(self) -> Effects:
        """
        No more copies of the rejection are on their way.
        """

    def timerM(self) -> Effects:
        """
        No more 2xx are on their way (RFC 6026).
        """


def _inviteClient() -> "TypeMachineBuilder[InviteClient, ClientCore]":
    builder = TypeMachineBuilder(InviteClient, ClientCore)
    initial = builder.state("initial")
    calling = builder.state("calling")
    proceeding = builder.state("proceeding")
    accepted = builder.state("accepted")
    completed = builder.state("completed")
    terminated = builder.state("terminated")

    @initial.upon(InviteClient.start).to(calling)
    def send(tx: InviteClient, core: ClientCore) -> Effects:
        effects: Effects = [Send(core.data), StartTimer("B", LIFETIME)]
        if not core.reliable:
            effects.append(StartTimer("A", T1))
        return effects

    @calling.upon(InviteClient.timerA).loop()
    def retransmit(tx: InviteClient, core: ClientCore) -> Effects:
        core.interval *= 2  # without the bound T2 (RFC 3261 section 17.1.1.2)
        return [Send(core.data), StartTimer("A", core.interval)]

    @calling.upon(InviteClient.provisional).to(proceeding)
    def firstProvisional(tx: InviteClient, core: ClientCore, response: Response) -> Effects:
        return [StopTimer("A"), StopTimer("B"), Deliver(response)]

    @proceeding.upon(InviteClient.provisional).loop()
    def provisional(tx: InviteClient, core: ClientCore, response: Response) -> Effects:
        return [Deliver(response)]

    def accept(tx: InviteClient, core: ClientCore, response: Response) -> Effects:
        return [StopTimer("A"), StopTimer("B"), StartTimer("M", LIFETIME), Deliver(response)]

    def reject(tx: InviteClient, core: ClientCore, response: Response) -> Effects:
        core.acknowledgement = ackFor(core.request, response).serialize()
        return [
            StopTimer("A"),
            StopTimer("B"),
            Send(core.acknowledgement),
            StartTimer("D", 0.0 if core.reliable else LIFETIME),
            Deliver(response),
        ]

    for state in (calling, proceeding):
        state.upon(InviteClient.accepted).to(accepted)(accept)
        state.upon(InviteClient.rejected).to(completed)(reject)

    @accepted.upon(InviteClient.accepted).loop()
    def acceptedAgain(tx: InviteClient, core: ClientCore, response: Response) -> Effects:
        # Only the user can make the ACK to a 2xx, so it sees each copy.
        return [Deliver(response)]

    @completed.upon(InviteClient.rejected).loop()
    def rejectedAgain(tx: InviteClient, core: ClientCore, response: Response) -> Effects:
        return [Send(core.acknowledgement)]

    calling.upon(InviteClient.timerB).to(terminated).returns([Finished(), TimedOut()])
    completed.upon(InviteClient.timerD).to(terminated).returns([Finished()])
    accepted.upon(InviteClient.timerM).to(terminated).returns([Finished()])
    for state in (calling, proceeding, completed):
        state.upon(InviteClient.transportFailed).to(terminated).returns(
            [Finished(), TransportFailed()]
        )

    # A stray or late input is the peer's doing and must not raise NoTransition.
    for state in (initial, accepted, terminated):
        state.upon(InviteClient.transportFailed).loop().returns([])
    for state in (calling, proceeding, accepted, completed, terminated):
        state.upon(InviteClient.start).loop().returns([])
    for state in (initial, accepted, completed, terminated):
        state.upon(InviteClient.provisional).loop().returns([])
    for state in (initial, completed, terminated):
        state.upon(InviteClient.accepted).loop().returns([])
    for state in (initial, accepted, terminated):
        state.upon(InviteClient.rejected).loop().returns([])
    for state in (initial, proceeding, accepted, completed, terminated):
        state.upon(InviteClient.timerA).loop().returns([])
        state.upon(InviteClient.timerB).loop().returns([])
    for state in (initial, calling, proceeding, accepted, terminated):
        state.upon(InviteClient.timerD).loop().returns([])
    for state in (initial, calling, proceeding, completed, terminated):
        state.upon(InviteClient.timerM).loop().returns([])
    return builder


class NonInviteClient(Client, Protocol):
    """
    Inputs of a non-INVITE client transaction (RFC 3261 section 17.1.2).
    """

    def timerE(self) -> Effects:
        """
        Time to send the request again.
        """

    def timerF(self) -> Effects:
        """
        No final response came.
        """

    def timerK(self) -> Effects:
        """
        No more copies of the response are on their way.
        """


def _nonInviteClient() -> "TypeMachineBuilder[NonInviteClient, ClientCore]":
    builder = TypeMachineBuilder(NonInviteClient, ClientCore)
    initial = builder.state("initial")
    trying = builder.state("trying")
    proceeding = builder.state("proceeding")
    completed = builder.state("completed")
    terminated = builder.state("terminated")

    @initial.upon(NonInviteClient.start).to(trying)
    def send(tx: NonInviteClient, core: ClientCore) -> Effects:
        effects: Effects = [Send(core.data), StartTimer("F", LIFETIME)]
        if not core.reliable:
            effects.append(StartTimer("E", T1))
        return effects

    @trying.upon(NonInviteClient.timerE).loop()
    def retransmit(tx: NonInviteClient, core: ClientCore) -> Effects:
        core.interval = min(2 * core.interval, T2)
        return [Send(core.data), StartTimer("E", core.interval)]

    @proceeding.upon(NonInviteClient.timerE).loop()
    def retransmitSlowly(tx: NonInviteClient, core: ClientCore) -> Effects:
        return [Send(core.data), StartTimer("E", T2)]

    def provisional(tx: NonInviteClient, core: ClientCore, response: Response) -> Effects:
        return [Deliver(response)]

    def final(tx: NonInviteClient, core: ClientCore, response: Response) -> Effects:
        return [
            StopTimer("E"),
            StopTimer("F"),
            StartTimer("K", 0.0 if core.reliable else T4),
            Deliver(response),
        ]

    trying.upon(NonInviteClient.provisional).to(proceeding)(provisional)
    proceeding.upon(NonInviteClient.provisional).loop()(provisional)
    for state in (trying, proceeding):
        state.upon(NonInviteClient.accepted).to(completed)(final)
        state.upon(NonInviteClient.rejected).to(completed)(final)
        state.upon(NonInviteClient.timerF).to(terminated).returns([Finished(), TimedOut()])
        state.upon(NonInviteClient.transportFailed).to(terminated).returns(
            [Finished(), TransportFailed()]
        )
    completed.upon(NonInviteClient.timerK).to(terminated).returns([Finished()])

    # A stray or late input is the peer's doing and must not raise NoTransition.
    for state in (initial, completed, terminated):
        state.upon(NonInviteClient.provisional).loop().returns([])
        state.upon(NonInviteClient.accepted).loop().returns([])
        state.upon(NonInviteClient.rejected).loop().returns([])
        state.upon(NonInviteClient.transportFailed).loop().returns([])
        state.upon(NonInviteClient.timerE).loop().returns([])
        state.upon(NonInviteClient.timerF).loop().returns([])
    for state in (trying, proceeding, completed, terminated):
        state.upon(NonInviteClient.start).loop().returns([])
    for state in (initial, trying, proceeding, terminated):
        state.upon(NonInviteClient.timerK).loop().returns([])
    return builder


_InviteClientMachine = _inviteClient().build()
_NonInviteClientMachine = _nonInviteClient().build()


def inviteClient(request: Request, reliable: bool) -> InviteClient:
    """
    @param request: the INVITE, with our Via on top.
    @param reliable: it goes over TCP or TLS.
    @return: a new INVITE client transaction, not started.
    """
    return _InviteClientMachine(ClientCore(request, request.serialize(), reliable))


def nonInviteClient(request: Request, reliable: bool) -> NonInviteClient:
    """
    @param request: any other request, with our Via on top.
    @param reliable: it goes over TCP or TLS.
    @return: a new non-INVITE client transaction, not started.
    """
    return _NonInviteClientMachine(ClientCore(request, request.serialize(), reliable))
