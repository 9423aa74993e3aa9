"""
FFmpeg's libraries as a sender of SRTP, in a process of its own: a tone as PCMU.

C{python -m tests.functional.avsender PORT SECONDS SUITE KEY}
"""

from __future__ import annotations

import sys
import time

import numpy as np

#: In Hz.
TONE = 700

_HOST, _RATE, _FRAME = "127.0.0.1", 8000, 160


def main(port: int, seconds: float, suite: str, key: str) -> None:
    """
    @param key: key and salt in base64.
    """
    # Here, because the test that starts this needs the tone even where there is none.
    import av

    # PyAV gives no options to what opens the socket; the muxer "tee" does.
    options = f"f=rtp:srtp_out_suite={suite}:srtp_out_params={key}"
    with av.open(f"[{options}]srtp://{_HOST}:{port}", "w", format="tee") as output:
        stream = output.add_stream("pcm_mulaw", rate=_RATE)
        stream.layout = "mono"
        begin = time.monotonic()
        for number in range(round(seconds * _RATE / _FRAME)):
            at = np.arange(number * _FRAME, (number + 1) * _FRAME)
            tone = (9000 * np.sin(2 * np.pi * TONE * at / _RATE)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(tone[None, :], format="s16", layout="mono")
            frame.sample_rate, frame.pts = _RATE, number * _FRAME
            for packet in stream.encode(frame):
                output.mux(packet)
            time.sleep(max(begin + (number + 1) * _FRAME / _RATE - time.monotonic(), 0.0))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4])
