"""
The SIP side of a snapshot: a dialog as plain values.
"""

from __future__ import annotations

from siprec.session.model import DialogInfo
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.sessiontimer import Agreed
from siprec.uas.negotiation import Negotiation


def dialogInfo(
    dialog: Dialog, flow: Flow, negotiation: Negotiation, timer: Agreed, now: float
) -> DialogInfo:
    """
    @param now: when the session timer was agreed, seconds since the epoch.
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
        flow=(flow.transport, *flow.local, *flow.remote, flow.connection),
        localSDP=b"" if local is None else local.serialize(),
        remoteSDP=b"" if remote is None else remote.serialize(),
        sdpSession=negotiation.sessionID,
        sessionInterval=timer.interval,
        sessionRefresher=timer.refresher,
        sessionExpires=None if timer.interval is None else now + timer.interval,
    )
