"""
What has been learned of the peers, by their addresses.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field

__all__ = ["Peers"]

# So many peers are remembered, those met last.
_MOST = 1000

_Known = OrderedDict[str, bool]


@define(eq=False, repr=False)
class Peers:
    """
    Remembers what peers take of a recorder: some refuse every request of one, or never
    answer (CONFORMANCE A40, J4).
    """

    _reinvites: _Known = field(factory=OrderedDict, init=False)
    _snapshots: _Known = field(factory=OrderedDict, init=False)

    def takesReinvite(self, host: str) -> bool | None:
        """
        @param host: the peer's address.
        @return: whether it takes a re-INVITE of ours; C{None} if that is not known.
        """
        return self._reinvites.get(host)

    def answered(self, host: str, accepted: bool) -> None:
        """
        A peer has accepted or refused such a re-INVITE, or has not answered.
        """
        _learn(self._reinvites, host, accepted)

    def takesSnapshotRequest(self, host: str) -> bool | None:
        """
        @param host: the peer's address.
        @return: whether it takes a request for a snapshot of its metadata; C{None} if
            that is not known.
        """
        return self._snapshots.get(host)

    def answeredSnapshotRequest(self, host: str, accepted: bool) -> None:
        """
        A peer has accepted or refused such a request.
        """
        _learn(self._snapshots, host, accepted)


def _learn(known: _Known, host: str, accepted: bool) -> None:
    known[host] = accepted
    known.move_to_end(host)
    if len(known) > _MOST:
        known.popitem(last=False)
