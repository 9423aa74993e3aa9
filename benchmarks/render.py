"""
What rendering costs: seconds of audio for each second of CPU, and the memory for it.

A call with two streams of G.711, or of another codec, is made up and rendered in a process
of its own for each form.  The work for a recording is what is counted, not the start of the
process, which renders hundreds of them::

    python benchmarks/render.py --seconds 3600
    python benchmarks/render.py --codec opus
    python benchmarks/render.py --form wav,channels --form opus,mixed

And what many short calls cost, which one process renders::

    python benchmarks/render.py --seconds 10 --recordings 200
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siprec.ids import NodeID, RecordingID
from siprec.media.journal import fileHeader, startFor
from siprec.render.form import Form
from siprec.render.recording import renderDirectory
from siprec.session.manifest import NAME, describe, writeManifest
from siprec.session.model import Format, RecordingSession, Segment, StreamInfo

START = 1_767_603_600
STREAMS = 2
FORMS = ("wav,channels", "wav,channels,peaks", "g711,channels", "wav,mixed", "flac,channels")

#: Of what a call can be made up: payload type, octets and clock ticks of a packet of 20 ms.
CODECS = {"PCMU": (0, 160, 160), "opus": (111, 80, 960), "G729": (18, 20, 160)}


def payloads(codec: str, count: int, noise: np.random.Generator) -> "NDArray[np.uint8]":
    """
    @return: a row for each packet.
    """
    octets = CODECS[codec][1]
    if codec != "opus":
        # Every octet is valid.
        return noise.integers(0, 256, (count, octets), dtype=np.uint8)
    import av

    context: Any = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48_000, "mono", "s16"
    context.bit_rate = octets * 50 * 8
    context.options = {"vbr": "off", "application": "voip"}
    packets: list[bytes] = []
    for _ in range(100):
        samples = noise.normal(0, 3000, (1, 960)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate = 48_000
        packets += (bytes(each) for each in context.encode(frame))
    whole = [each for each in packets if len(each) == octets]
    some = np.frombuffer(b"".join(whole), np.uint8).reshape(-1, octets)
    return some[np.arange(count) % len(some)]


def journal(path: str, packets: int, ssrc: int, codec: str = "PCMU") -> None:
    """
    Write a stream that comes with a jitter of some milliseconds and no loss.
    """
    kind, octets, ticks = CODECS[codec]
    # rtpdump: two lengths and an offset; then header and 20 ms of audio.
    record = np.dtype(
        [
            *(("whole", ">u2"), ("length", ">u2"), ("offset", ">u4"), ("flags", "u1")),
            *(("kind", "u1"), ("sequence", ">u2"), ("stamp", ">u4"), ("ssrc", ">u4")),
            ("payload", "u1", octets),
        ]
    )
    noise = np.random.default_rng(ssrc)
    number = np.arange(packets)
    records = np.zeros(packets, record)
    records["whole"], records["length"] = record.itemsize, record.itemsize - 8
    records["offset"] = np.sort(20 * number + noise.integers(0, 9, packets))
    records["flags"], records["kind"], records["ssrc"] = 0x80, kind, ssrc
    records["sequence"] = (number + 60_000) & 0xFFFF
    records["stamp"] = (ticks * number + 1_000_000) & 0xFFFFFFFF
    records["payload"] = payloads(codec, packets, noise)
    with open(path, "wb") as file:
        file.write(fileHeader(startFor(START * 1_000_000_000), "127.0.0.1", 10_000))
        file.write(records.tobytes())


def call(directory: str, seconds: int, codec: str = "PCMU") -> None:
    """
    Make up a recording.
    """
    names = tuple(f"1-{index}.rtpdump" for index in range(STREAMS))
    for index, name in enumerate(names):
        journal(os.path.join(directory, name), 50 * seconds, 0x1000 + index, codec)
    channels = 2 if codec == "opus" else 1  # RFC 7587 section 7
    ticks = 50 * CODECS[codec][2]
    formats = (Format(CODECS[codec][0], codec, ticks, channels),)
    recording = RecordingSession(
        id=RecordingID("0190a3b4-0000-7000-8000-000000000001"),
        callID="benchmark",
        startTime=START,
        endTime=START + seconds,
        directory=directory,
        streams=tuple(
            StreamInfo(index, index, str(index), formats, "127.0.0.1", 10_000)
            for index in range(STREAMS)
        ),
        segments=(Segment(NodeID("node"), 1, START, START + seconds, files=names),),
    )
    writeManifest(directory, describe(recording))


def peak() -> int:
    """
    @return: the most memory that this process had, in KiB.  What getrusage says has
        that of the process before it in it.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0])


def calls(directory: str, count: int, seconds: int, codec: str = "PCMU") -> None:
    """
    Make up recordings, each in a folder of its own.
    """
    for number in range(count):
        place = os.path.join(directory, f"{number:06}")
        os.mkdir(place)
        call(place, seconds, codec)


def child(directory: str, form: str) -> None:
    """
    Render one recording, or all but the first of those that are in a folder, and print what
    it took.
    """
    format, layout, *peaks = form.split(",")
    wanted = Form(format, layout, bool(peaks))
    places = [directory]
    if not os.path.exists(os.path.join(directory, NAME)):
        places = sorted(each.path for each in os.scandir(directory))
        renderDirectory(places.pop(0), wanted)  # what it loads it loads once
    duration = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF)
    for place in places:
        duration += renderDirectory(place, wanted)["audio"]["duration"]
    after = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "user": after.ru_utime - before.ru_utime,
        "system": after.ru_stime - before.ru_stime,
        "memory": peak() / 1024,
        "duration": duration,
    }
    print(json.dumps(found))


def measure(directory: str, form: str) -> dict[str, float]:
    """
    @param directory: see L{child}.
    @return: what it took to render it in a process of its own: C{user} and
        C{system} CPU time, C{memory} in MiB; and the C{duration} of the audio.
    @raise CalledProcessError: it failed.
    """
    command = [sys.executable, os.path.abspath(__file__), "--child", directory, form]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """
    Measure each form.
    """
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=3600, help="how long the call is")
    parser.add_argument("--form", action="append", help="FORMAT,LAYOUT[,peaks]; repeatable")
    parser.add_argument("--codec", choices=CODECS, default="PCMU", help="of the call")
    parser.add_argument("--recordings", type=int, help="of that length, one after the other")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    directory = tempfile.mkdtemp(prefix="siprec-render-")
    try:
        many = options.recordings
        if many is None:
            call(directory, options.seconds, options.codec)
        else:
            calls(directory, many + 1, options.seconds, options.codec)
        print(f"{options.seconds} s of {options.codec} with {STREAMS} streams:")
        for form in options.form or FORMS:
            found = measure(directory, form)
            took = found["user"] + found["system"]
            if many is not None:
                print(
                    f"{form:20} {1000 * took / many:6.2f} ms of CPU, "
                    f"{many / took:6.1f} recordings a second, {found['memory']:.0f} MiB"
                )
                continue
            print(
                f"{form:20} {took:6.2f} s of CPU ({found['system']:.2f} of the kernel), "
                f"{found['duration'] / took:6.0f} s of audio a second, {found['memory']:.0f} MiB"
            )
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
