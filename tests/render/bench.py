"""
Calls whose truth is known: what was spoken when, brought into journals by the real
capture with a clock of its own, rendered, and looked up in the audio again.
"""

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from siprec.media.batch import Receiver
from siprec.media.drain import Drain
from siprec.media.stream import CapturedStream, JournalFile
from siprec.media.writing import chooseWriter
from siprec.render.recording import renderDirectory
from siprec.session.manifest import formatTime, parseTime, readManifest, writeManifest
from tests.media.fakes import LocalPair
from tests.render.journals import START, Packet, audioOf, linear, talk, writeRecording
from tests.render.recordingcase import RecordingCase

__all__ = ["BenchCase", "Spoken", "later", "speak", "without"]

#: How far from where it belongs a packet is looked for, in seconds.
_REACH = 1.0
#: The first samples of a packet, by which it is found.
_HEARD = 100

_Floats = NDArray[np.float64]


@frozen
class Spoken:
    """
    A packet, and when its first sample was spoken by the true clock, in seconds after
    the recording's begin.
    """

    time: float
    packet: Packet


def speak(
    count: int,
    *,
    begin: float = 0.0,
    skew: float = 0.0,
    jitter: Sequence[float] = (0.0,),
    **more: Any,
) -> list[Spoken]:
    """
    @param jitter: delays to go round, in seconds.
    @param more: see L{talk}.
    @return: packets of 20 ms, no two of them alike.
    """
    packets = talk(count, begin=begin, skew=skew, jitter=jitter, **more)
    return [Spoken(begin + n * 0.02 / (1 + skew), each) for n, each in enumerate(packets)]


def without(spoken: Sequence[Spoken], lost: Iterable[int]) -> list[Spoken]:
    """
    @param lost: which packets do not come, by their places.
    """
    gone = frozenset(lost)
    return [each for number, each in enumerate(spoken) if number not in gone]


def later(spoken: Iterable[Spoken], seconds: float = 0.0, ticks: int = 0) -> list[Spoken]:
    """
    @param seconds: how much later they arrive.
    @param ticks: by what their timestamps are wrong.
    @return: what else comes of the same speech.
    """
    return [
        Spoken(
            each.time,
            evolve(
                each.packet,
                arrival=each.packet.arrival + seconds,
                timestamp=each.packet.timestamp + ticks,
            ),
        )
        for each in spoken
    ]


class _Scripted(Receiver):
    """
    A receiver to whose sockets datagrams come that were thought out, with their times.
    """

    def __init__(self) -> None:
        super().__init__(1024)
        self.coming: dict[int, deque[tuple[int, bytes]]] = {}

    def receive(self, sock: Any, limit: int) -> int:
        waiting = self.coming.get(sock.fileno(), deque())
        count = min(limit, len(waiting))
        for _ in range(count):
            self.place(*waiting.popleft())
        return count

    def sweep(
        self, sockets: Iterable[Any], each: int, reserve: int, until: float
    ) -> tuple[list[int], set[int]]:
        limit, counts = min(each, self.slots - reserve), list[int]()
        for sock in sockets:
            counts.append(self.receive(sock, limit))
        return counts, {index for index, count in enumerate(counts) if count == limit}


class BenchCase(RecordingCase):
    """
    Renders what was captured, and compares it with what was spoken.
    """

    def setUp(self) -> None:
        super().setUp()
        self.receiver = _Scripted()
        self.drain = Drain(
            self.receiver, chooseWriter(64), lambda *failure: self.fail(str(failure))
        )
        self.addCleanup(self.drain.close)

    def capture(
        self,
        journals: Mapping[str, Sequence[Spoken]],
        *,
        other: Mapping[str, Sequence[tuple[float, bytes]]] | None = None,
        times: Sequence[tuple[float, float | None]] = (),
        events: Sequence[tuple[float, str, int]] = (),
        **options: Any,
    ) -> dict[str, Any]:
        """
        @param journals: what comes to each stream of each node.
        @param other: arrivals and octets of what else comes to the same streams.
        @param times: start and end of each segment.
        @param events: seconds after the start, type and stream of each.
        @param options: see L{writeRecording}.
        @return: the rendering, after a turn through JSON.
        """
        writeRecording(self.directory, dict.fromkeys(journals, ()), **options)
        manifest = readManifest(self.directory)
        for segment, (start, end) in zip(manifest["segments"], times, strict=False):
            segment["start"] = formatTime(START + start)
            segment["end"] = None if end is None else formatTime(START + end)
        manifest["events"] = [
            {"time": formatTime(START + at), "type": type, "stream": stream}
            for at, type, stream in events
        ]
        writeManifest(self.directory, manifest, durable=False)
        for name, spoken in journals.items():
            came = [(each.packet.arrival, each.packet.octets()) for each in spoken]
            self._write(
                name, sorted([*came, *(other or {}).get(name, ())], key=lambda each: each[0])
            )
        return self.again()

    def _write(self, name: str, came: Sequence[tuple[float, bytes]]) -> None:
        path = os.path.join(self.directory, name)
        os.unlink(path)
        pair = LocalPair.make(self)
        stream = CapturedStream(path, pair, JournalFile(path))
        self.drain.add(stream)
        self.receiver.coming[pair.rtp.fileno()] = waiting = deque(
            (round((START + at) * 1e6) * 1000, octets) for at, octets in came
        )
        while waiting:
            self.drain.visit(0, 1.0)
        self.drain.finish(stream)
        self.assertEqual((stream.packets, stream.unwritten), (len(came), 0))
        if (descriptor := stream.releaseFile()) >= 0:
            os.close(descriptor)

    def again(self) -> dict[str, Any]:
        """
        @return: the rendering, after a turn through JSON.
        """
        found: dict[str, Any] = json.loads(json.dumps(renderDirectory(self.directory)))
        self.zero = parseTime(found["audio"]["startTime"]) - START
        self.rate = int(found["audio"]["sampleRate"])
        return found

    def errors(self, channel: int, spoken: Sequence[Spoken], every: int = 1) -> _Floats:
        """
        Every packet, or one in so many, is in the audio, sample by sample.

        @return: how much later than it was spoken each is heard, in seconds.
        """
        samples = audioOf(self.directory)[channel]
        found = []
        for each in spoken[::every]:
            # Where the sender's clock is made up for, some milliseconds have no room.
            heard = evolve(each.packet, payload=each.packet.payload[:_HEARD])
            wanted = linear([heard], "PCMA" if each.packet.payloadType == 8 else "PCMU")
            place = _find(samples, wanted, round((each.time - self.zero) * 8000))
            if place is None:
                self.fail(f"what was spoken at {each.time} is not to be heard")
            found.append(place / 8000 + self.zero - each.time)
        return np.array(found)

    def assertInStep(self, *legs: Sequence[Spoken], within: float = 0.001, every: int = 1) -> None:
        """
        All of it is heard when it was spoken, and the legs are in step at every moment.

        @param within: seconds.
        """
        errors = [self.errors(channel, leg, every) for channel, leg in enumerate(legs)]
        for error in errors:
            self.assertLessEqual(float(np.abs(error).max()), within)
        times = [np.array([each.time for each in leg[::every]]) for leg in legs]
        for (one, error), (two, other) in pairwise(zip(times, errors, strict=True)):
            apart = error - np.interp(one, two, other)
            self.assertLessEqual(float(np.abs(apart).max()), within)

    def assertSilent(self, channel: int, begin: float, end: float) -> None:
        """
        There is nothing between two times, in seconds after the recording's begin.
        """
        first, last = (round((each - self.zero) * self.rate) for each in (begin, end))
        found = np.abs(audioOf(self.directory)[channel][first:last])
        self.assertEqual(int(found.max(initial=0)), 0)


def _find(samples: NDArray[np.int16], wanted: NDArray[np.int16], near: int) -> int | None:
    """
    @return: where the samples are; the place next to where they belong.
    """
    if near >= 0 and np.array_equal(samples[near : near + len(wanted)], wanted):
        return near
    first = max(near - round(_REACH * 8000), 0)
    window = samples[first : near + round(_REACH * 8000) + len(wanted)]
    places = np.arange(max(len(window) - len(wanted) + 1, 0))
    for at, sample in enumerate(wanted.tolist()):
        places = places[window[places + at] == sample]
        if not len(places):
            return None
    return first + int(places[np.abs(places + first - near).argmin()])
