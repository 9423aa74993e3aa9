"""
Small but complete records, for tests of stores.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from siprec.ids import NodeID, RecordingID
from siprec.session.model import (
    CallSnapshot,
    DialogInfo,
    NodeLease,
    RecordingSession,
    Segment,
    SessionData,
)

N1, N2 = NodeID("n1"), NodeID("n2")


def makeSnapshot(key: str = "0197-a") -> CallSnapshot:
    """
    @return: a small but complete snapshot.
    """
    recording = RecordingSession(
        id=RecordingID(key),
        callID="c1@src.example",
        startTime=1000.25,
        directory="/r/2026/01/05/" + key,
        segments=(Segment(N1, 1, 1000.25, files=("1-0.rtpdump",)),),
    )
    dialog = DialogInfo(
        callID="c1@src.example",
        localTag="us",
        remoteTag="them",
        localAddr="<sip:srs@srs.example>",
        remoteAddr="<sip:src@src.example>",
        remoteTarget="sip:src@192.0.2.1",
        localContact="<sip:192.0.2.9>;+sip.srs",
        localCSeq=1,
        remoteCSeq=1,
    )
    return CallSnapshot(recording, dialog, lastActivity=1000.5, metadata={"queue": "sales"})


def makeData(key: str = "0197-a", **fields: Any) -> SessionData:
    """
    @param fields: what is to be otherwise.
    @return: a record without a snapshot, of node C{n1}.
    """
    data = SessionData(
        sessionID=key,
        callID="c1@src.example",
        status="recording",
        startTime=1000.25,
        lastUpdate=1000.5,
        recordingPath="/r/2026/01/05/" + key,
        nodeID=N1,
        sessions=("cs1",),
        metadata={"queue": "sales"},
        vendor={"ucid": ["1", "2"]},
        correlations=("session:cs1",),
    )
    return evolve(data, **fields)


def makeLease(nodeID: NodeID = N1, instance: str = "i1") -> NodeLease:
    """
    @return: the lease of a node.
    """
    return NodeLease(
        nodeID=nodeID,
        instance=instance,
        host="h1",
        pid=4711,
        addresses=("192.0.2.9:5060",),
        sessions=3,
        version="1.0",
        data={"draining": False},
    )
