"""
The keys by which a peer protects what it sends (SRTP, RFC 3711), as plain values.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

__all__ = ["OVERLAP", "SUITES", "MasterKey", "Suite", "withFormer"]

#: Seconds for which a key is still used when another one has taken its place: packets are
#: on their way, and the peer begins with the new one when it has our answer.
OVERLAP = 30.0

_MOST_FORMER = 4


@frozen
class Suite:
    """
    What a crypto suite means for a packet.

    @ivar keyOctets: of the master key and its salt together.
    @ivar tagOctets: of the authentication tag of SRTP.
    @ivar sealed: whether the tag is part of what is encrypted (AEAD, RFC 7714): then a
        packet whose tag is wrong is spoilt by the attempt to open it.
    """

    keyOctets: int
    tagOctets: int
    sealed: bool = False


#: The suites of RFC 4568 section 6.2, RFC 6188 section 4.2 and RFC 7714 section 14.2
#: that are known here, the strongest first.
SUITES: Mapping[str, Suite] = {
    "AEAD_AES_256_GCM": Suite(44, 16, sealed=True),
    "AEAD_AES_128_GCM": Suite(28, 16, sealed=True),
    "AES_256_CM_HMAC_SHA1_80": Suite(46, 10),
    "AES_CM_128_HMAC_SHA1_80": Suite(30, 10),
    "AES_256_CM_HMAC_SHA1_32": Suite(46, 4),
    "AES_CM_128_HMAC_SHA1_32": Suite(30, 4),
}


@frozen
class MasterKey:
    """
    One master key with its salt.

    @ivar suite: of L{SUITES}.
    @ivar mki: the identifier that packets carry (RFC 3711 section 3.1); empty: none.
    @ivar until: when it is forgotten, seconds since the epoch, since another one has
        taken its place; C{None}: it is in force.
    """

    suite: str
    key: bytes = field(repr=False)
    mki: bytes = b""
    until: float | None = None

    def sameAs(self, other: "MasterKey") -> bool:
        """
        @return: whether both open the same packets.
        """
        return (self.suite, self.key, self.mki) == (other.suite, other.key, other.mki)


def withFormer(
    before: Sequence[MasterKey] | None, keys: Sequence[MasterKey] | None, now: float
) -> tuple[MasterKey, ...] | None:
    """
    @param before: the keys of a stream until now; C{None}: it came in the clear.
    @param keys: those that are in force from now on, or C{None}.
    @param now: seconds since the epoch.
    @return: those, and behind them what is still used of the others.
    """
    if keys is None:
        return None
    former = [
        each if each.until is not None else evolve(each, until=now + OVERLAP)
        for each in before or ()
        if not any(each.sameAs(other) for other in keys)
    ]
    recent = [each for each in former if each.until is not None and each.until > now]
    return (*keys, *recent[:_MOST_FORMER])
