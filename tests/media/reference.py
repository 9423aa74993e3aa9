"""
SRTP as RFC 3711 and RFC 7714 write it down, by another library than the one under test:
slow, and for one packet at a time.
"""

import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from siprec.media.keys import SUITES

__all__ = ["counterMode", "derive", "protect", "protectControl", "rtp", "sealed"]


def rtp(sequence: int, ssrc: int = 7, payload: bytes = bytes(160)) -> bytes:
    """
    @return: a packet of G.711.
    """
    return struct.pack(">BBHII", 0x80, 0, sequence & 0xFFFF, 160 * sequence % 2**32, ssrc) + payload


def counterMode(key: bytes, begin: bytes, data: bytes) -> bytes:
    """
    AES in counter mode (RFC 3711 section 4.1.1).
    """
    return Cipher(AES(key), CTR(begin)).encryptor().update(data)


def derive(key: bytes, salt: bytes, label: int, octets: int) -> bytes:
    """
    A session key (RFC 3711 section 4.3.1; for AEAD the salt ends in 16 zero bits more).
    """
    number = int.from_bytes(salt.ljust(14, b"\0"), "big") ^ label << 48
    return counterMode(key, (number << 16).to_bytes(16, "big"), bytes(octets))


def sealed(key: bytes, salt: bytes, packet: bytes, counter: int) -> bytes:
    """
    A packet by AES-GCM with session keys (RFC 7714 section 8.1).
    """
    sequence, _, ssrc = struct.unpack_from(">HII", packet, 2)
    plain = struct.pack(">HIIH", 0, ssrc, counter, sequence)
    nonce = bytes(one ^ other for one, other in zip(plain, salt, strict=True))
    return packet[:12] + AESGCM(key).encrypt(nonce, packet[12:], packet[:12])


def _counted(key: bytes, salt: bytes, ssrc: int, index: int, data: bytes) -> bytes:
    begin = int.from_bytes(salt, "big") << 16 ^ ssrc << 64 ^ index << 16
    return counterMode(key, begin.to_bytes(16, "big"), data)


def protect(suite: str, master: bytes, packet: bytes, counter: int = 0) -> bytes:
    """
    @param counter: how often the sequence number has wrapped.
    @return: the packet as SRTP.
    """
    found = SUITES[suite]
    saltOctets = 12 if found.sealed else 14
    key, salt = master[:-saltOctets], master[-saltOctets:]
    cipher, sessionSalt = derive(key, salt, 0, len(key)), derive(key, salt, 2, saltOctets)
    if found.sealed:
        return sealed(cipher, sessionSalt, packet, counter)
    sequence, _, ssrc = struct.unpack_from(">HII", packet, 2)
    data = packet[:12] + _counted(cipher, sessionSalt, ssrc, counter << 16 | sequence, packet[12:])
    tag = hmac.digest(derive(key, salt, 1, 20), data + struct.pack(">I", counter), "sha1")
    return data + tag[: found.tagOctets]


def protectControl(suite: str, master: bytes, packet: bytes, index: int) -> bytes:
    """
    @return: the packet as SRTCP, by a suite in counter mode.
    """
    key, salt = master[:-14], master[-14:]
    cipher, sessionSalt = derive(key, salt, 3, len(key)), derive(key, salt, 5, 14)
    (ssrc,) = struct.unpack_from(">I", packet, 4)
    data = packet[:8] + _counted(cipher, sessionSalt, ssrc, index, packet[8:])
    data += struct.pack(">I", 1 << 31 | index)
    return data + hmac.digest(derive(key, salt, 4, 20), data, "sha1")[:10]
