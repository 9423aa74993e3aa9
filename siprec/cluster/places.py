"""
Which addresses of another node are, or have come to, this host.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from attrs import define, field

from siprec.session.model import NodeLease
from siprec.session.processes import sharesNetwork

__all__ = ["Places", "canBind"]


def canBind(host: str) -> bool:
    """
    @return: whether a socket can be bound to an address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((host, 0))
        except OSError:
            return False
    return True


@define(eq=False, repr=False)
class Places:
    """
    Knows where media and signalling for another node would arrive.
    """

    # The address that we write into SDP, if it is configured: nodes that share
    # one share what stands behind it.
    _mediaAddress: str | None
    _canBind: Callable[[str], bool] = canBind
    _sharesNetwork: Callable[[NodeLease], bool] = field(default=sharesNetwork)

    def isHere(self, host: str, lease: NodeLease | None) -> bool:
        """
        @param host: an address of a node, as it stands in SDP or in its lease.
        @param lease: that node's, if it is known.
        @return: whether what peers send there comes to this host.
        """
        if lease is not None and self._sharesNetwork(lease):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        # Every machine has these, and means another one by them.
        if address.is_loopback or address.is_unspecified:
            return False
        return host == self._mediaAddress or self._canBind(host)
