"""
Who may speak to the recorder at all: the list of peers, and what it says of the
source of a message.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import takewhile

from attrs import field, frozen

from siprec.peersettings import PeerSettings
from siprec.sip.flow import Flow

__all__ = ["PeerList", "Standing"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Sources whose entries are remembered.
_MOST = 4096


@frozen
class Standing:
    """
    What is known of a source before it has authenticated.

    @ivar entries: the peers that it may be; empty where there is no list.
    @ivar authenticates: whether it has to.
    """

    entries: tuple[PeerSettings, ...] = ()
    authenticates: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """
        The names of L{entries}.
        """
        return tuple(each.name for each in self.entries)

    def authenticated(self, user: str) -> tuple[str, ...] | None:
        """
        @param user: who it has proven to be.
        @return: the name of the peer that it is, empty where there is no list;
            C{None} if that user is none of these peers.
        """
        if not self.entries or not self.entries[0].digestUsers:
            return self.names
        for entry in self.entries:
            if user in entry.digestUsers:
                return (entry.name,)
        return None


@frozen
class PeerList:
    """
    @ivar entries: as configured; empty: everybody is welcome.
    @ivar digest: whether those must authenticate whose entries do not say so.
    """

    entries: tuple[PeerSettings, ...] = ()
    digest: bool = False
    _fitting: Callable[[str, tuple[str, ...]], tuple[PeerSettings, ...]] = field(
        init=False, eq=False, repr=False
    )

    @_fitting.default
    def _remembered(self) -> Callable[[str, tuple[str, ...]], tuple[PeerSettings, ...]]:
        # Each message asks, mostly the same few.
        return lru_cache(_MOST)(partial(_find, self.entries))

    def standing(self, flow: Flow) -> Standing | None:
        """
        The first entry decides whose network and certificate fit.  If it names
        users, those next to it do that fit and name users too, since only the
        user can tell which of them it is.

        @param flow: what a message came by.
        @return: C{None} for a stranger.
        """
        if not self.entries:
            return Standing(authenticates=self.digest)
        fitting = self._fitting(flow.remote[0], flow.identities)
        if not fitting:
            return None
        if not fitting[0].digestUsers:
            return Standing((fitting[0],), self.digest)
        return Standing(tuple(takewhile(lambda each: each.digestUsers, fitting)), True)

    def certificates(self, host: str) -> frozenset[str]:
        """
        @param host: an IP address or a name.
        @return: the names that certificates of peers at this address may have.
        """
        address = _address(host)
        found = [each for each in self.entries if each.certificate and _isWithin(address, each)]
        return frozenset(name for each in found for name in each.certificate)

    def profile(self, flow: Flow) -> str:
        """
        @param flow: of a peer whose name it carries.
        @return: the profile for its INVITEs; empty: as for all.
        """
        entry = self._named(flow)
        return "" if entry is None else entry.profile

    def srtp(self, flow: Flow) -> str:
        """
        @param flow: of a peer whose name it carries.
        @return: whether its media is to be encrypted; empty: as for all.
        """
        entry = self._named(flow)
        return "" if entry is None else entry.srtp

    def source(self, flow: Flow) -> str:
        """
        @param flow: of a peer whose name it carries.
        @return: whose packets are recorded; empty: as for all.
        """
        entry = self._named(flow)
        return "" if entry is None else entry.mediaSource

    def _named(self, flow: Flow) -> PeerSettings | None:
        return next((each for each in self.entries if each.name in flow.peers), None)


def _find(
    entries: tuple[PeerSettings, ...], host: str, identities: tuple[str, ...]
) -> tuple[PeerSettings, ...]:
    """
    @return: those whose network and certificate fit.
    """
    address = _address(host)
    return tuple(
        each
        for each in entries
        if not (each.certificate and set(each.certificate).isdisjoint(identities))
        and (not each.networks or _isWithin(address, each))
    )


def _address(host: str) -> IPAddress | None:
    # A scope, as in fe80::1%eth0, is of no network.
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _isWithin(address: IPAddress | None, entry: PeerSettings) -> bool:
    return address is not None and any(address in network for network in entry.networks)
