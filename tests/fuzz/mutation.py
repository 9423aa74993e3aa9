"""
New inputs from old ones.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

from attrs import define

_CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")

#: No input is longer, in bytes.
LONGEST = 16384

# What parsers look for.
_WORDS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\r\n ", b"\r\n\r\n", b'"', b'\\"', b"<", b">"),
    *(b";", b",", b"?", b"=", b"&", b"%", b"%00", b"%2541", b"@", b":", b"::", b"[", b"]", b"/"),
    *(b"-1", b"0", b"4294967296", b"99999999999999999999", b"65536", b"\xff\xfe", b"\xc3\xa9"),
    *(b"sip:", b"sips:", b"tel:", b"SIP/2.0", b"z9hG4bK", b"tag=", b";lr", b";rport", b"*", b"--"),
    *(b"a=sendonly\r\n", b"m=audio 0 RTP/AVP 0\r\n", b"c=IN IP6 ::\r\n", b"t=0 0\r\n", b"a=label:"),
    *(b"a=rtpmap:", b"a=fmtp:", b"m=", b"v=0\r\n", b"IN IP4 0.0.0.0", b"/2", b"RTP/SAVP"),
    *(b"<!DOCTYPE r [<!ENTITY a 'b'>]>", b"&a;", b"&#0;", b"<![CDATA[", b"]]>", b"<!--", b"-->"),
    *(b"<recording>", b"</recording>", b"<label>", b"</label>", b"xmlns=", b"session_id=", b"<?"),
    *(b"Content-Length: ", b"Content-Type: multipart/mixed;boundary=x\r\n", b"--x\r\n", b"--x--"),
    *(b"Via: ", b"Contact: ", b"Require: siprec\r\n", b"CSeq: 1 INVITE\r\n", b"Replaces: "),
)


def corpus(name: str) -> list[bytes]:
    """
    @param name: of a parser.
    @return: the inputs that are kept for it, in a fixed order.
    """
    folder = os.path.join(_CORPUS, name)
    found = []
    for each in sorted(os.listdir(folder)):
        with open(os.path.join(folder, each), "rb") as file:
            found.append(file.read())
    return found


@define(eq=False)
class Mutator:
    """
    @ivar seeds: what to begin with; at least one.
    """

    _random: random.Random
    seeds: Sequence[bytes]

    def next(self) -> bytes:
        """
        @return: an input.
        """
        chance = self._random
        data = bytearray(chance.choice(self.seeds))
        for _ in range(1 + int(chance.expovariate(0.5))):
            self._change(data)
        return bytes(data[:LONGEST])

    def _change(self, data: bytearray) -> None:
        chance = self._random
        start = chance.randrange(len(data) + 1)
        end = min(start + 1 + int(chance.expovariate(0.1)), len(data))
        kind = chance.randrange(9)
        if kind == 0:
            data[start:start] = chance.choice(_WORDS)
        elif kind == 1:
            data[start:end] = chance.choice(_WORDS)
        elif kind == 2:
            del data[start:end]
        elif kind == 3:
            data[start:start] = data[start:end] * chance.choice((1, 1, 2, 3, 50))
        elif kind == 4 and start < len(data):
            data[start] ^= 1 << chance.randrange(8)
        elif kind == 5 and start < len(data):
            data[start] = chance.randrange(256)
        elif kind == 6:
            del data[start:]
        elif kind == 7:
            other = chance.choice(self.seeds)
            cut = chance.randrange(len(other) + 1)
            data[start:end] = other[cut : cut + chance.randrange(200)]
        else:
            # The same thing very often is what quadratic parsers are slow at.
            data[start:start] = chance.choice(_WORDS) * chance.choice((2, 10, 200, 1000))
