"""
The four transaction machines as tables: what each input does in each state, on a
datagram and on a connection (RFC 3261 section 17 figures 5 to 8, RFC 6026).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.clienttransaction import inviteClient, nonInviteClient
from siprec.sip.transaction import (
    Deliver,
    Effects,
    Finished,
    Send,
    StartTimer,
    StopTimer,
    TimedOut,
    TransportFailed,
    inviteServer,
    nonInviteServer,
)
from tests.sip.traffic import answer, request

_INVITE, _BYE = request("INVITE"), request("BYE")

#: What does something: input, effects and the state that follows.  Inputs that
#: are not named have no effect.
Row = Mapping[str, tuple[str, str]]

_SERVER = ("again", "ack", "provisional", "accepted", "rejected", "transportFailed")
_CLIENT = ("start", "provisional", "accepted", "rejected", "transportFailed")

_ARGUMENTS: dict[str, Any] = {
    "ack": request("ACK"),
    "provisional": b"1xx",
    "accepted": b"2xx",
    "rejected": b"4xx",
}
_RESPONSES: dict[str, Any] = {
    "provisional": answer(_INVITE, 180),
    "accepted": answer(_INVITE, 200),
    "rejected": answer(_INVITE, 486),
}

INVITE_SERVER: dict[str, Row] = {
    "proceeding": {
        "provisional": ("send", "proceeding"),
        "accepted": ("send, L=32", "accepted"),
        "rejected": ("send, H=32, G=0.5", "completed"),
        "transportFailed": ("failed", "proceeding"),
    },
    "accepted": {
        "ack": ("deliver", "accepted"),
        "accepted": ("send", "accepted"),
        "transportFailed": ("failed", "accepted"),
        "timerL": ("finished", "terminated"),
    },
    "completed": {
        "again": ("send", "completed"),
        "ack": ("stop G, stop H, I=5", "confirmed"),
        "transportFailed": ("failed", "completed"),
        "timerG": ("send, G=1", "completed"),
        "timerH": ("finished, timed out", "terminated"),
    },
    "confirmed": {"timerI": ("finished", "terminated")},
    "terminated": {},
}
INVITE_SERVER_PATHS = {
    "proceeding": (),
    "accepted": ("accepted",),
    "completed": ("rejected",),
    "confirmed": ("rejected", "ack"),
    "terminated": ("accepted", "timerL"),
}

OTHER_SERVER: dict[str, Row] = {
    "trying": {
        "provisional": ("send", "proceeding"),
        "accepted": ("send, J=32", "completed"),
        "rejected": ("send, J=32", "completed"),
        "transportFailed": ("failed", "trying"),
    },
    "proceeding": {
        "again": ("send", "proceeding"),
        "provisional": ("send", "proceeding"),
        "accepted": ("send, J=32", "completed"),
        "rejected": ("send, J=32", "completed"),
        "transportFailed": ("failed", "proceeding"),
    },
    "completed": {
        "again": ("send", "completed"),
        "transportFailed": ("failed", "completed"),
        "timerJ": ("finished", "terminated"),
    },
    "terminated": {},
}
OTHER_SERVER_PATHS = {
    "trying": (),
    "proceeding": ("provisional",),
    "completed": ("accepted",),
    "terminated": ("accepted", "timerJ"),
}

INVITE_CLIENT: dict[str, Row] = {
    "initial": {"start": ("send, B=32, A=0.5", "calling")},
    "calling": {
        "provisional": ("stop A, stop B, deliver", "proceeding"),
        "accepted": ("stop A, stop B, M=32, deliver", "accepted"),
        "rejected": ("stop A, stop B, send, D=32, deliver", "completed"),
        "transportFailed": ("finished, failed", "terminated"),
        "timerA": ("send, A=1", "calling"),
        "timerB": ("finished, timed out", "terminated"),
    },
    "proceeding": {
        "provisional": ("deliver", "proceeding"),
        "accepted": ("stop A, stop B, M=32, deliver", "accepted"),
        "rejected": ("stop A, stop B, send, D=32, deliver", "completed"),
        "transportFailed": ("finished, failed", "terminated"),
    },
    "accepted": {
        "accepted": ("deliver", "accepted"),
        "timerM": ("finished", "terminated"),
    },
    "completed": {
        "rejected": ("send", "completed"),
        "transportFailed": ("finished, failed", "terminated"),
        "timerD": ("finished", "terminated"),
    },
    "terminated": {},
}
INVITE_CLIENT_PATHS = {
    "initial": (),
    "calling": ("start",),
    "proceeding": ("start", "provisional"),
    "accepted": ("start", "accepted"),
    "completed": ("start", "rejected"),
    "terminated": ("start", "timerB"),
}

OTHER_CLIENT: dict[str, Row] = {
    "initial": {"start": ("send, F=32, E=0.5", "trying")},
    "trying": {
        "provisional": ("deliver", "proceeding"),
        "accepted": ("stop E, stop F, K=5, deliver", "completed"),
        "rejected": ("stop E, stop F, K=5, deliver", "completed"),
        "transportFailed": ("finished, failed", "terminated"),
        "timerE": ("send, E=1", "trying"),
        "timerF": ("finished, timed out", "terminated"),
    },
    "proceeding": {
        "provisional": ("deliver", "proceeding"),
        "accepted": ("stop E, stop F, K=5, deliver", "completed"),
        "rejected": ("stop E, stop F, K=5, deliver", "completed"),
        "transportFailed": ("finished, failed", "terminated"),
        "timerE": ("send, E=4", "proceeding"),
        "timerF": ("finished, timed out", "terminated"),
    },
    "completed": {"timerK": ("finished", "terminated")},
    "terminated": {},
}
OTHER_CLIENT_PATHS = {
    "initial": (),
    "trying": ("start",),
    "proceeding": ("start", "provisional"),
    "completed": ("start", "accepted"),
    "terminated": ("start", "timerF"),
}

#: On a connection nothing is repeated, and nothing that is late is awaited.
RELIABLE = {
    "send, H=32, G=0.5": "send, H=32",
    "stop G, stop H, I=5": "stop G, stop H, I=0",
    "send, J=32": "send, J=0",
    "send, B=32, A=0.5": "send, B=32",
    "stop A, stop B, send, D=32, deliver": "stop A, stop B, send, D=0, deliver",
    "send, F=32, E=0.5": "send, F=32",
    "stop E, stop F, K=5, deliver": "stop E, stop F, K=0, deliver",
}


def described(effects: Effects) -> str:
    """
    @return: the effects in short.
    """
    names = {
        Send: "send",
        Deliver: "deliver",
        TimedOut: "timed out",
        TransportFailed: "failed",
        Finished: "finished",
    }
    found = []
    for each in effects:
        if isinstance(each, StartTimer):
            found.append(f"{each.name}={each.seconds:g}")
        elif isinstance(each, StopTimer):
            found.append(f"stop {each.name}")
        else:
            found.append(names[type(each)])
    return ", ".join(found)


def stateOf(tx: Any) -> str:
    """
    @return: the name of the state that a machine is in.
    """
    name: str = tx.__automat_transitioner__._state.name
    return name


class MachineTests(SynchronousTestCase):
    """
    Each input in each state.
    """

    def check(
        self,
        make: Callable[[bool], Any],
        table: Mapping[str, Row],
        paths: Mapping[str, Sequence[str]],
        names: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> None:
        """
        Assert that a machine does what its table says.

        @param paths: the inputs that lead to each state.
        @param names: of all inputs.
        """

        def give(tx: Any, name: str) -> Effects:
            given = [arguments[name]] if name in arguments else []
            found: Effects = getattr(tx, name)(*given)
            return found

        for reliable in (False, True):
            for state, row in table.items():
                self.assertLessEqual(row.keys(), set(names))
                for name in names:
                    tx = make(reliable)
                    for each in paths[state]:
                        give(tx, each)
                    self.assertEqual(stateOf(tx), state)
                    effects, following = row.get(name, ("", state))
                    if reliable:
                        effects = RELIABLE.get(effects, effects)
                    found = (described(give(tx, name)), stateOf(tx))
                    self.assertEqual(found, (effects, following), (state, name, reliable))

    def test_D1_inviteServer(self) -> None:
        """
        RFC 3261 figure 7, with the state "accepted" of RFC 6026.
        """
        names = (*_SERVER, "timerG", "timerH", "timerI", "timerL")
        self.check(inviteServer, INVITE_SERVER, INVITE_SERVER_PATHS, names, _ARGUMENTS)

    def test_D1_otherServer(self) -> None:
        """
        RFC 3261 figure 8.
        """
        names = (*_SERVER, "timerJ")
        self.check(nonInviteServer, OTHER_SERVER, OTHER_SERVER_PATHS, names, _ARGUMENTS)

    def test_D1_inviteClient(self) -> None:
        """
        RFC 3261 figure 5, with the state "accepted" of RFC 6026.
        """
        names = (*_CLIENT, "timerA", "timerB", "timerD", "timerM")

        def make(reliable: bool) -> Any:
            return inviteClient(_INVITE, reliable)

        self.check(make, INVITE_CLIENT, INVITE_CLIENT_PATHS, names, _RESPONSES)

    def test_D1_otherClient(self) -> None:
        """
        RFC 3261 figure 6.
        """
        names = (*_CLIENT, "timerE", "timerF", "timerK")

        def make(reliable: bool) -> Any:
            return nonInviteClient(_BYE, reliable)

        self.check(make, OTHER_CLIENT, OTHER_CLIENT_PATHS, names, _RESPONSES)
