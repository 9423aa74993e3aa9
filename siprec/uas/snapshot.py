"""
The SIP side of a snapshot: a dialog as plain values, and back.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from siprec.session.model import DialogInfo, FinalResponse
from siprec.sip.dialog import MAX_CSEQ, Dialog
from siprec.sip.flow import Flow
from siprec.sip.sessiontimer import Agreed
from siprec.uas.finals import deadFlow, plainFlow
from siprec.uas.negotiation import Negotiation

#: By how much our numbers jump when a dialog goes on in another process.
CSEQ_JUMP = 100


def dialogInfo(
    dialog: Dialog,
    flow: Flow,
    negotiation: Negotiation,
    timer: Agreed,
    now: float,
    peerAllows: Iterable[str] = (),
    finals: tuple[FinalResponse, ...] = (),
) -> DialogInfo:
    """
    @param now: when the session timer was agreed, seconds since the epoch.
    @param peerAllows: the methods that the peer takes, as far as it said.
    @param finals: our last final responses.
    @return: all that another node needs to go on with the dialog.
    """
    local, remote = negotiation.local, negotiation.remote
    return DialogInfo(
        callID=dialog.callID,
        localTag=dialog.localTag,
        remoteTag=dialog.remoteTag,
        localAddr=dialog.localAddr,
        remoteAddr=dialog.remoteAddr,
        remoteTarget=dialog.remoteTarget,
        localContact=dialog.localContact,
        localCSeq=dialog.localCSeq,
        remoteCSeq=dialog.remoteCSeq,
        routeSet=dialog.routeSet,
        secure=dialog.secure,
        confirmed=dialog.confirmed,
        flow=plainFlow(flow),
        localSDP=b"" if local is None else local.serialize(),
        remoteSDP=b"" if remote is None else remote.serialize(),
        sdpSession=negotiation.sessionID,
        sessionInterval=timer.interval,
        # Not by the roles in the request that settled it: that may have been
        # ours as well as the peer's.
        sessionRefresher=None if timer.interval is None else ("uas" if timer.ours else "uac"),
        sessionExpires=None if timer.interval is None else now + timer.interval,
        peerAllows=tuple(sorted(peerAllows)),
        finals=finals,
        peers=flow.peers,
    )


def dialogOf(info: DialogInfo) -> Dialog:
    """
    @return: the dialog for another process: its own requests have numbers
        above all that the one before may have used without saving them
        (CONFORMANCE G.4).
    """
    return Dialog(
        callID=info.callID,
        localTag=info.localTag,
        remoteTag=info.remoteTag,
        localAddr=info.localAddr,
        remoteAddr=info.remoteAddr,
        remoteTarget=info.remoteTarget,
        localContact=info.localContact,
        localCSeq=min(info.localCSeq + CSEQ_JUMP, MAX_CSEQ),
        remoteCSeq=info.remoteCSeq,
        routeSet=info.routeSet,
        secure=info.secure,
        confirmed=info.confirmed,
    )


def flowOf(info: DialogInfo) -> Flow:
    """
    @return: what the peer's last request came by; see L{deadFlow}.
    """
    return evolve(deadFlow(info.flow), peers=info.peers)


def timerOf(info: DialogInfo, now: float) -> tuple[Agreed, float]:
    """
    @param now: seconds since the epoch.
    @return: the session timer as it was agreed, and the seconds since then.
    """
    if info.sessionInterval is None or info.sessionExpires is None:
        return Agreed(), 0.0
    ours = info.sessionRefresher == "uas"
    agreed = Agreed(info.sessionInterval, info.sessionRefresher, ours=ours)
    return agreed, max(now - (info.sessionExpires - info.sessionInterval), 0.0)
