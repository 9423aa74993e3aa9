"""
The session service in a program of one's own, and one store for both layers:
the SIP side saves a call's snapshot, the session side finds it by its Call-ID.
Run as: python onestore.py URL
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from siprec.ids import NodeID, newRecordingID
from siprec.session.model import CallSnapshot, DialogInfo, RecordingSession
from siprec.session.service import SessionService
from siprec.store.interfaces import ISnapshotStore
from siprec.store.opening import openStore


def snapshotOfACall(callID: str, now: float) -> CallSnapshot:
    recording = RecordingSession(
        id=newRecordingID(),
        callID=callID,
        startTime=now,
        directory="/var/lib/siprec/2026/01/05/x",
        vendor={"ucid": ["0004"]},
    )
    dialog = DialogInfo(
        callID=callID,
        localTag="us",
        remoteTag="them",
        localAddr="<sip:srs@example.com>",
        remoteAddr="<sip:src@example.com>",
        remoteTarget="sip:src@192.0.2.7",
        localContact="<sip:192.0.2.1>;+sip.srs",
        localCSeq=1,
        remoteCSeq=1,
    )
    return CallSnapshot(recording, dialog, lastActivity=now, metadata={"queue": "sales"})


async def example(reactor, url):
    # The rich layer: leases, indexes, ownership.  It connects when it is first asked.
    store = openStore(reactor, NodeID("embedded"), url)
    # The minimal layer over the very same records, by zope's adaptation.
    snapshots = ISnapshotStore(store)

    # Heartbeat, cleanup, the end of silent calls, and saving: one service.
    # Its times are arguments, too; here two other than the defaults.
    service = SessionService(
        store, reactor, nodeID="embedded", cleanupInterval=60.0, sessionTimeout=600.0
    )
    await service.begin()  # LeaseHeld, if another process is this node
    print("nodes:", [lease.nodeID for lease in await service.nodes()])

    snapshot = snapshotOfACall("a84b4c76e66710@192.0.2.7", reactor.seconds())
    await service.save(snapshot.key, snapshot)

    [key] = await store.listByCallID("a84b4c76e66710@192.0.2.7")
    found = await store.get(key)
    print("owner:", found.nodeID, "vendor:", found.vendor["ucid"], "metadata:", found.metadata)
    print("same snapshot:", await snapshots.load(key) == snapshot)

    await service.delete(key)
    print("left:", await store.list())
    await service.stopService()  # gives the lease back and closes the store


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(example(reactor, sys.argv[1])))
