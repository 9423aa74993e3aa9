"""
Sipral as a session recording client, in a process of its own: one account calls
another one, each says a tone, and the call is recorded by a recorder over TCP.

C{python -m tests.functional.sipralclient PORT SECONDS [hold] [SUITE]}
"""

from __future__ import annotations

import asyncio
import math
import struct
import sys
from typing import Any

from sipral import Stack
from sipral._sipral_cffi import lib

#: The tones of the two sides, in Hz.
TONES = (500, 900)

_HOST = "127.0.0.1"


def _tone(frequency: int, rate: int, seconds: float) -> bytes:
    count = round(rate * seconds)
    return struct.pack(
        f"<{count}h",
        *(round(9000 * math.sin(2 * math.pi * frequency * n / rate)) for n in range(count)),
    )


async def _until(events: Any, kind: int) -> Any:
    """
    @return: the first event of this kind.
    """
    while True:
        event = await asyncio.wait_for(events.get(), 10)
        if event.kind == kind:
            return event


async def main(port: int, seconds: float, hold: bool, suite: str = "") -> int:
    """
    @param suite: the crypto suite to offer; empty: none.
    @return: the exit status: 0 if the recording session was answered.
    """
    loop = asyncio.get_running_loop()
    server = f"{_HOST}:{port}"
    with Stack(bind_host=_HOST, loop=loop) as near, Stack(bind_host=_HOST, loop=loop) as far:
        # The side that is called records: its account has a connection of its own.
        near.add_account(
            "sip:ann@127.0.0.1",
            registrar_address=server,
            stream_protocol=lib.SIPRAL_TRANSPORT_TCP,
            display_name="Ann",
            srtp=lib.SIPRAL_SRTP_REQUIRED if suite else 0,
            srtp_suites=suite or None,
        )
        account = far.add_account(
            "sip:bob@127.0.0.1",
            registrar_address=near.bind_address,
            srtp=lib.SIPRAL_SRTP_REQUIRED if suite else 0,
            srtp_suites=suite or None,
        )
        other = far.place_call(account, "sip:ann@127.0.0.1", media_host=_HOST, codecs="PCMA")
        incoming = await _until(near.events, lib.SIPRAL_EVENT_KIND_INCOMING_CALL)
        call = near.answer_call(incoming, media_host=_HOST)
        for each, tone in zip((call, other), TONES, strict=True):
            await _until(each.events, lib.SIPRAL_EVENT_KIND_MEDIA_STARTED)
            each.media.send_audio(_tone(tone, each.media.sample_rate, seconds + 5))
        session = call.record_to(f"sip:srs@{server};transport=tcp")
        while True:
            event = await asyncio.wait_for(near.events.get(), 10)
            if event.call == session and event.kind == lib.SIPRAL_EVENT_KIND_CALL_CONFIRMED:
                break
            if event.call == session and event.kind == lib.SIPRAL_EVENT_KIND_CALL_ENDED:
                return 1
        if hold:
            await asyncio.sleep(seconds / 3)
            call.hold()
            await asyncio.sleep(seconds / 3)
            call.resume()
            await asyncio.sleep(seconds / 3)
        else:
            await asyncio.sleep(seconds)
        call.stop_recording_to()
        await asyncio.sleep(0.5)
        call.hangup()
        await asyncio.sleep(0.5)
    return 0


if __name__ == "__main__":
    more = sys.argv[3:]
    chosen = [each for each in more if each.startswith("A")]
    hold = "hold" in more
    sys.exit(asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), hold, "".join(chosen[:1]))))
