"""
What rendering costs: seconds of audio for each second of CPU, and the memory for it.

A call of G.711 with two streams is made up and rendered in a process of its own for
each form.  The work for a recording is what is counted, not the start of the process,
which renders hundreds of them::

    python benchmarks/render.py --seconds 3600
    python benchmarks/render.py --form wav,channels --form opus,mixed
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from siprec.ids import NodeID, RecordingID
from siprec.media.journal import fileHeader, startFor
from siprec.render.form import Form
from siprec.render.recording import renderDirectory
from siprec.session.manifest import describe, writeManifest
from siprec.session.model import Format, RecordingSession, Segment, StreamInfo

START = 1_767_603_600
STREAMS = 2
FORMS = ("wav,channels", "wav,channels,peaks", "g711,channels", "wav,mixed", "flac,channels")

# rtpdump: two lengths and an offset; then header and 20 ms of G.711.
_RECORD = np.dtype(
    [
        *(("whole", ">u2"), ("length", ">u2"), ("offset", ">u4")),
        *(("flags", "u1"), ("kind", "u1"), ("sequence", ">u2"), ("stamp", ">u4"), ("ssrc", ">u4")),
        ("payload", "u1", 160),
    ]
)


def journal(path: str, packets: int, ssrc: int) -> None:
    """
    Write a stream that comes with a jitter of some milliseconds and no loss.
    """
    noise = np.random.default_rng(ssrc)
    number = np.arange(packets)
    records = np.zeros(packets, _RECORD)
    records["whole"], records["length"] = _RECORD.itemsize, _RECORD.itemsize - 8
    records["offset"] = np.sort(20 * number + noise.integers(0, 9, packets))
    records["flags"], records["ssrc"] = 0x80, ssrc
    records["sequence"] = (number + 60_000) & 0xFFFF
    records["stamp"] = (160 * number + 1_000_000) & 0xFFFFFFFF
    records["payload"] = noise.integers(0, 256, (packets, 160), dtype=np.uint8)
    with open(path, "wb") as file:
        file.write(fileHeader(startFor(START * 1_000_000_000), "127.0.0.1", 10_000))
        file.write(records.tobytes())


def call(directory: str, seconds: int) -> None:
    """
    Make up a recording.
    """
    names = tuple(f"1-{index}.rtpdump" for index in range(STREAMS))
    for index, name in enumerate(names):
        journal(os.path.join(directory, name), 50 * seconds, 0x1000 + index)
    pcmu = (Format(0, "PCMU", 8000),)
    recording = RecordingSession(
        id=RecordingID("0190a3b4-0000-7000-8000-000000000001"),
        callID="benchmark",
        startTime=START,
        endTime=START + seconds,
        directory=directory,
        streams=tuple(
            StreamInfo(index, index, str(index), pcmu, "127.0.0.1", 10_000)
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


def child(directory: str, form: str) -> None:
    """
    Render one recording and print what it took.
    """
    format, layout, *peaks = form.split(",")
    before = resource.getrusage(resource.RUSAGE_SELF)
    audio = renderDirectory(directory, Form(format, layout, bool(peaks)))["audio"]
    after = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "user": after.ru_utime - before.ru_utime,
        "system": after.ru_stime - before.ru_stime,
        "memory": peak() / 1024,
        "duration": audio["duration"],
    }
    print(json.dumps(found))


def main() -> None:
    """
    Measure each form.
    """
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=3600, help="how long the call is")
    parser.add_argument("--form", action="append", help="FORMAT,LAYOUT[,peaks]; repeatable")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    directory = tempfile.mkdtemp(prefix="siprec-render-")
    try:
        call(directory, options.seconds)
        print(f"{options.seconds} s of G.711 with {STREAMS} streams:")
        for form in options.form or FORMS:
            command = [sys.executable, __file__, "--child", directory, form]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            took = found["user"] + found["system"]
            print(
                f"{form:20} {took:6.2f} s of CPU ({found['system']:.2f} of the kernel), "
                f"{found['duration'] / took:6.0f} s of audio a second, {found['memory']:.0f} MiB"
            )
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
