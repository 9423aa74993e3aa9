"""
A running call whose process has died goes on in this one.
"""

from __future__ import annotations

from collections.abc import Callable

from siprec.session.live import LiveRecording
from siprec.session.model import CallSnapshot
from siprec.uas.around import Surroundings
from siprec.uas.call import Call
from siprec.uas.snapshot import dialogOf, flowOf


def resumeCall(
    around: Surroundings,
    snapshot: CallSnapshot,
    live: LiveRecording,
    onEnd: Callable[[Call], None],
) -> Call:
    """
    Make the call of a snapshot, as established: should the peer never have had
    our 200, it has no dialog and answers our next request with 481.

    @param live: the call's recording, which goes on already.
    @param onEnd: called when the call has ended.
    @raise siprec.sdp.parse.BadSDP: the snapshot's descriptions cannot be read.
    """
    info = snapshot.dialog
    call = Call(around=around, dialog=dialogOf(info), flow=flowOf(info), onEnd=onEnd)
    call.goOn(info, live)
    return call
