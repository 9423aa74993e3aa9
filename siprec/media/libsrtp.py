"""
libsrtp, as pylibsrtp brings it along: sessions that protect or open packets of one
master key.

pylibsrtp's own functions copy each packet twice, take 1,500 octets at most and give the
interpreter lock away for every one.  So the library's functions are called at their
addresses, where the packet lies, with the lock held: one call takes 1 to 2 µs.
"""

import ctypes
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import suppress
from itertools import repeat

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

from siprec.media.keys import SUITES

__all__ = [
    "AVAILABLE",
    "MOST_OCTETS",
    "OLD",
    "REPLAYED",
    "WINDOW",
    "CryptoSession",
    "UnknownSuite",
    "widen",
]

#: C{srtp_err_status_replay_fail} and C{srtp_err_status_replay_old}.
REPLAYED, OLD = 9, 10

#: Packets, by sequence number, by which one may come late (RFC 3711 section 3.3.2).
WINDOW = 1024

#: The longest packet that can be protected or opened.
MOST_OCTETS = 0xFFFF

_TRAILER = 16 + 4  # a tag, and the index that SRTCP adds

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AES_256_CM_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_256_CM_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}

# The first two fields of srtp_crypto_policy_t, cipher and octets of key and salt, for
# AES in counter mode of 128 and 256 bits: the latter has no profile of DTLS-SRTP, which
# is all that pylibsrtp can name.
_AES_128, _AES_256 = (1, 30), (5, 46)

_FUNCTION = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


def _function(name: str) -> Callable[..., int]:
    return _FUNCTION(int(ffi.cast("uintptr_t", ffi.addressof(lib, name))))


_PROTECT, _PROTECT_CONTROL = _function("srtp_protect"), _function("srtp_protect_rtcp")
_OPEN, _OPEN_CONTROL = _function("srtp_unprotect"), _function("srtp_unprotect_rtcp")


class UnknownSuite(Exception):
    """
    This libsrtp cannot do what a suite asks for.
    """


def widen(fields: MutableSequence[int]) -> None:
    """
    Make of AES with 128 bits in counter mode that with 256.

    @param fields: the first of a C{srtp_crypto_policy_t}.
    @raise UnknownSuite: they are not what is expected; the library must be another one.
    """
    if (fields[0], fields[1]) != _AES_128:
        raise UnknownSuite("AES_256_CM")
    fields[0], fields[1] = _AES_256


def _policy(suite: str, key: bytes, inbound: bool, window: int) -> Policy:
    """
    @raise UnknownSuite: the library has no such suite, or the key is none of it.
    """
    if suite not in SUITES or len(key) != SUITES[suite].keyOctets:
        raise UnknownSuite(suite)
    kind = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    policy = Policy(key=key, ssrc_type=kind, srtp_profile=_PROFILES[suite])
    policy.window_size = window
    if suite.startswith("AES_256_CM"):
        for part in (policy._policy.rtp, policy._policy.rtcp):
            widen(ffi.cast("uint32_t *", ffi.addressof(part)))
    return policy


class CryptoSession:
    """
    The crypto contexts (RFC 3711 section 3.2.3) of all sources under one master key.
    """

    def __init__(self, suite: str, key: bytes, inbound: bool = True, window: int = WINDOW) -> None:
        """
        @param key: the master key and its salt.
        @param inbound: false: it protects.
        @param window: packets by which one may come late; 64 to 32,767.
        @raise UnknownSuite: it cannot be made.
        """
        try:
            # Kept, since the library's context lives as long as this.
            self._session = Session(_policy(suite, key, inbound, window))
        except Error as error:
            raise UnknownSuite(suite) from error
        self._pointer = int(ffi.cast("uintptr_t", self._session._srtp[0]))
        self._buffer = ctypes.create_string_buffer(MOST_OCTETS + 1 + _TRAILER)
        self._length = ctypes.c_int()

    def openAll(self, addresses: Sequence[int], lengths: Sequence[int]) -> list[int]:
        """
        Open RTP packets where they lie, in this order.

        @param addresses: of the packets.
        @param lengths: addresses of their lengths, as C{int}; these are changed.
        @return: the status of each; 0: it is open.
        """
        return list(map(_OPEN, repeat(self._pointer), addresses, lengths))

    def open(self, packet: bytes, control: bool = False) -> tuple[int, bytes]:
        """
        @param control: it is RTCP.
        @return: the status, and if that is 0 the packet in the clear.
        """
        return self._run(_OPEN_CONTROL if control else _OPEN, packet)

    def protect(self, packet: bytes, control: bool = False) -> bytes:
        """
        @raise ValueError: the library does not take the packet.
        """
        status, data = self._run(_PROTECT_CONTROL if control else _PROTECT, packet)
        if status:
            raise ValueError(f"libsrtp: status {status}")
        return data

    def _run(self, function: Callable[..., int], packet: bytes) -> tuple[int, bytes]:
        if len(packet) > MOST_OCTETS:
            return 1, b""
        buffer, length = self._buffer, self._length
        ctypes.memmove(buffer, packet, len(packet))
        length.value = len(packet)
        status = function(self._pointer, ctypes.addressof(buffer), ctypes.addressof(length))
        return status, b"" if status else ctypes.string_at(buffer, length.value)


def _available() -> Iterator[str]:
    for name, suite in SUITES.items():
        with suppress(UnknownSuite):
            CryptoSession(name, bytes(suite.keyOctets))
            yield name


#: The suites that this libsrtp has.
AVAILABLE = tuple(_available())
