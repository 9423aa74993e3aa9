"""
C{python -m tests.functional.src TRANSPORT RECORDER PORT HOST SECONDS [PEOPLE]}: an
SRC in a process of its own, such as in a network namespace.

It makes one call, from the address HOST, says so, talks for so many seconds and
hangs up; it does what a recorder asks of it, and tells of that at the end.  Each
line that it writes is JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from siprec.testing.client import RecordingClient
from siprec.testing.offer import makeMetadata
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711

__all__ = ["longMetadata"]


def longMetadata(people: int) -> bytes:
    """
    @return: a document as one of a conference; of ten people it has 11 kB.
    """
    labels = [str(number + 1) for number in range(people)]
    return makeMetadata([f"{label} of {'many' * 20}" for label in labels], labels)


def _say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


async def _call(
    reactor: Any,
    transport: str,
    recorder: str,
    port: str,
    host: str,
    seconds: str,
    people: str = "2",
) -> None:
    client = RecordingClient(reactor, transport, recorder, int(port), host)
    await client.start()
    call = await client.invite(metadata=longMetadata(int(people)))
    _say(answered=call.callID)
    payload = encodeG711(ANN.speak(float(seconds)), Law.MU)
    await call.play([payload, payload])
    response = await call.bye()
    _say(
        bye=response.status,
        sent=[len(leg.sent) for leg in call.legs],
        asked=[[each.method, each.cseq.number] for each in call.requests],
        statuses=[each.status for each in call.responses],
    )
    await client.stop()


def main(reactor: Any, *arguments: str) -> Deferred[None]:
    """
    Make the call.
    """
    return Deferred.fromCoroutine(_call(reactor, *arguments))


if __name__ == "__main__":
    react(main, sys.argv[1:])
