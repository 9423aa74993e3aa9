"""
Synthetic recordings for the tests of the renderer.
"""

import os
import struct
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import soundfile
from attrs import frozen
from numpy.typing import NDArray

from siprec.ids import NodeID, RecordingID
from siprec.media.journal import fileHeader, startFor
from siprec.media.rtp import RTPPacket
from siprec.render.codec import Payloads
from siprec.render.decode import G711, decoderFor
from siprec.session.manifest import describe, writeManifest
from siprec.session.model import Format, RecordingSession, Segment, StreamInfo

__all__ = [
    "PCMA",
    "PCMU",
    "START",
    "Packet",
    "audioOf",
    "expected",
    "linear",
    "press",
    "talk",
    "writeJournal",
    "writeRecording",
]

#: 2026-01-05T09:00:00Z, the begin of every recording here.
START = 1_767_603_600.0
PCMU = Format(0, "PCMU", 8000)
PCMA = Format(8, "PCMA", 8000)


@frozen
class Packet:
    """
    A packet and when it arrived, in seconds after C{START}.
    """

    arrival: float
    sequence: int
    timestamp: int
    payload: bytes
    ssrc: int = 0x1A2B3C4D
    payloadType: int = 0
    marker: bool = False

    def octets(self) -> bytes:
        """
        @return: the packet as it was on the wire; its numbers wrap.
        """
        return RTPPacket(
            self.payloadType,
            self.sequence & 0xFFFF,
            self.timestamp & 0xFFFFFFFF,
            self.ssrc,
            self.payload,
            self.marker,
        ).serialize()


def talk(
    count: int,
    *,
    begin: float = 0.0,
    sequence: int = 1000,
    timestamp: int = 50_000,
    ssrc: int = 0x1A2B3C4D,
    payloadType: int = 0,
    seed: int = 1,
    skew: float = 0.0,
    jitter: Sequence[float] = (0.0,),
) -> list[Packet]:
    """
    @param count: packets of 20 ms each with random audio, none of it silence.
    @param begin: arrival of the first one if it has no jitter.
    @param skew: by how much the sender's clock is fast; 1e-4 is 100 ppm.
    @param jitter: delays to go round, in seconds.
    """
    noise = np.random.default_rng(seed).integers(0, 120, (count, 160), dtype=np.uint8)
    return [
        Packet(
            begin + each * 0.02 / (1 + skew) + jitter[each % len(jitter)],
            sequence + each,
            timestamp + 160 * each,
            noise[each].tobytes(),
            ssrc,
            payloadType,
        )
        for each in range(count)
    ]


def press(
    event: int,
    *,
    begin: float,
    sequence: int,
    timestamp: int,
    ticks: Sequence[int] = (160, 320, 480, 640),
    ends: int = 3,
    marked: bool = True,
    ssrc: int = 0x1A2B3C4D,
    payloadType: int = 101,
) -> list[Packet]:
    """
    @param event: number of a telephone event.
    @param begin: arrival of the first packet; one comes every 20 ms.
    @param ticks: the duration that each packet tells.
    @param ends: how many more tell the end.
    @return: its packets (RFC 4733 section 2.5.1).
    """
    told = [(each, 0x0A) for each in ticks] + [(ticks[-1] if ticks else 0, 0x8A)] * ends
    return [
        Packet(
            begin + number * 0.02,
            sequence + number,
            timestamp,
            struct.pack(">BBH", event, flags, duration),
            ssrc,
            payloadType,
            marked and not number,
        )
        for number, (duration, flags) in enumerate(told)
    ]


def linear(packets: Iterable[Packet], codec: str = "PCMU") -> NDArray[np.int16]:
    """
    @return: the audio of packets, without anything between them.
    """
    data = np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8)
    decoder = decoderFor(codec, 8000)
    assert isinstance(decoder, G711)
    return decoder.decode(Payloads(data, np.array([0]), np.array([len(data)])))


def expected(
    frames: int, *pieces: tuple[int, Sequence[Packet]], codec: str = "PCMU"
) -> NDArray[np.int16]:
    """
    @param pieces: each a place in samples and what is heard from there on.
    @return: a whole channel; silence where there is no piece.
    """
    samples = np.zeros(frames, np.int16)
    for place, packets in pieces:
        heard = linear(packets, codec)
        samples[place : place + len(heard)] = heard
    return samples


def writeJournal(path: str, packets: Sequence[Packet], start: float = START) -> None:
    """
    Write packets in the order of their arrival.
    """
    ordered = sorted(packets, key=lambda packet: packet.arrival)
    first = start + (ordered[0].arrival if ordered else 0.0)
    zero = startFor(round(first * 1e6) * 1000)
    with open(path, "wb") as file:
        file.write(fileHeader(zero, "127.0.0.1", 10000))
        for packet in ordered:
            octets = packet.octets()
            offset = (round((start + packet.arrival) * 1e6) * 1000 - zero) // 1_000_000
            file.write(struct.pack(">HHI", len(octets) + 8, len(octets), offset) + octets)


def writeRecording(
    directory: str,
    journals: Mapping[str, Sequence[Packet]],
    *,
    streams: Sequence[Sequence[Format]] = ((PCMU,),),
    end: float | None = None,
) -> None:
    """
    Write a recording's folder.

    @param journals: packets by file name, such as C{1-0.rtpdump}.
    @param streams: the formats of each stream.
    @param end: seconds after C{START}; C{None}: unknown.
    """
    os.makedirs(directory, exist_ok=True)
    for name, packets in journals.items():
        writeJournal(os.path.join(directory, name), packets)
    numbers = sorted({name.partition("-")[0] for name in journals})
    recording = RecordingSession(
        id=RecordingID("0190a3b4-0000-7000-8000-000000000001"),
        callID="a84b4c76e66710",
        startTime=START,
        endTime=None if end is None else START + end,
        directory=directory,
        streams=tuple(
            StreamInfo(index, index, str(index + 1), tuple(formats), "127.0.0.1", 10000)
            for index, formats in enumerate(streams)
        ),
        segments=tuple(
            Segment(
                NodeID(f"node{number}"),
                int(number),
                START,
                files=tuple(sorted(name for name in journals if name.startswith(f"{number}-"))),
            )
            for number in numbers
        ),
    )
    writeManifest(directory, describe(recording), durable=False)


def audioOf(directory: str, name: str = "audio.wav") -> NDArray[np.int16]:
    """
    @return: the samples of a recording's audio, one row per channel.
    """
    samples, _ = soundfile.read(os.path.join(directory, name), dtype="int16", always_2d=True)
    rows: NDArray[np.int16] = samples.T
    return rows
