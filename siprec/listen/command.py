"""
C{siprec listen}: plays a call that is being recorded.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import BinaryIO

from siprec.config import loadSettings
from siprec.listen.call import DELAY, LiveCall, NotRunning, waveHeader
from siprec.session.archive import NoSuchRecording, locate
from siprec.values import seconds

__all__ = ["ListenError", "addArguments", "listen"]

_LONGEST_DELAY = 10.0


class ListenError(Exception):
    """
    There is nothing to hear; the text says why.
    """


def addArguments(parser: ArgumentParser) -> None:
    """
    Say what the command takes.
    """
    parser.add_argument("recording", metavar="ID", help="the recording's id, or its directory")
    parser.add_argument("--config", metavar="FILE", help="the node's configuration file")
    parser.add_argument("--recordings", metavar="FOLDER", help="the node's recordings directory")
    parser.add_argument("--from-start", action="store_true", help="also what was said until now")
    parser.add_argument("--mix", action="store_true", help="all in one channel")
    parser.add_argument(
        "--delay",
        metavar="SECONDS",
        default=DELAY,
        help=f"from what is said to when it is heard; {DELAY:g} if not said",
    )


def listen(
    options: Namespace,
    warn: Callable[[str], None],
    output: Callable[[], BinaryIO],
    now: Callable[[], float] = time.time,
    wait: Callable[[float], None] | None = None,
) -> None:
    """
    Write sound until the call is over.

    @param warn: writes a line to the standard error.
    @param output: gives what the sound is written to.
    @raise ListenError: there is nothing to hear.
    @raise BrokenPipeError: nobody hears it any more.
    @raise OSError: something else cannot be read or written.
    @raise siprec.session.manifest.BadManifest: the recording is none.
    """
    directory = _directory(options)
    try:
        delay = float(str(seconds(_LONGEST_DELAY)(options.delay)))
    except ValueError as error:
        raise ListenError(f"--delay {options.delay}: expected {error}") from None
    try:
        call = LiveCall.open(
            directory,
            warn,
            now,
            wait or _sleep,
            channels=1 if options.mix else 2,
            fromStart=options.from_start,
            delay=delay,
        )
    except NotRunning as error:
        raise ListenError(str(error)) from None
    file = output()
    file.write(waveHeader(call.rate, call.channels))
    file.flush()
    for piece in call.pieces():
        file.write(piece)
        file.flush()


def _sleep(duration: float) -> None:
    time.sleep(duration)  # noqa: TID251 - this is a program of its own, without a reactor


def _directory(options: Namespace) -> str:
    given: str = options.recording
    if os.path.isdir(given):
        return given
    overrides = {"recordings.directory": options.recordings}
    root = loadSettings(options.config, overrides).recordings.directory
    try:
        return locate(root, given)
    except NoSuchRecording:
        raise ListenError(f"{given}: no such recording in {root}") from None
