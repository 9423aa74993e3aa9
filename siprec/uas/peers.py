"""
What has been learned of the peers, by their addresses.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field

__all__ = ["Peers"]

# So many peers are remembered, those met last.
_MOST = 1000


@define(eq=False, repr=False)
class Peers:
    """
    Remembers whether peers take a re-INVITE of ours that moves media: some
    refuse every request of a recorder, or never answer one (CONFORMANCE J4).
    """

    _takes: OrderedDict[str, bool] = field(factory=OrderedDict, init=False)

    def takesReinvite(self, host: str) -> bool | None:
        """
        @param host: the peer's address.
        @return: C{None} if that is not known.
        """
        return self._takes.get(host)

    def answered(self, host: str, accepted: bool) -> None:
        """
        A peer has accepted or refused such a re-INVITE, or has not answered.
        """
        self._takes[host] = accepted
        self._takes.move_to_end(host)
        if len(self._takes) > _MOST:
            self._takes.popitem(last=False)
