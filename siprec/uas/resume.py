"""
A running call whose process has died goes on in this one.
"""

from __future__ import annotations

from collections.abc import Callable

from siprec.session.live import LiveRecording
from siprec.session.model import CallSnapshot
from siprec.uas.around import Surroundings
from siprec.uas.call import Call
from siprec.uas.finals import Adopt
from siprec.uas.snapshot import dialogOf, flowOf


def resumeCall(
    around: Surroundings,
    snapshot: CallSnapshot,
    live: LiveRecording,
    onEnd: Callable[[Call], None],
    put: Adopt,
) -> Call:
    """
    Make the call of a snapshot: as answered if a 200 still awaits its ACK, else
    as established.  Copies of requests get the answers that were saved.

    @param live: the call's recording, which goes on already.
    @param onEnd: called when the call has ended.
    @param put: see L{Adopt}.
    @raise siprec.sdp.parse.BadSDP: the snapshot's descriptions cannot be read.
    """
    info = snapshot.dialog
    call = Call(around=around, dialog=dialogOf(info), flow=flowOf(info), onEnd=onEnd)
    call.goOn(info, live, put)
    return call
