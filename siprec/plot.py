"""
A picture of a recording's waveform.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any
from uuid import uuid4

import numpy as np
import soundfile
from attrs import frozen
from numpy.typing import NDArray

from siprec.session.manifest import Manifest, parseTime
from siprec.shell.tables import printable

__all__ = ["COLUMNS", "PlotError", "plot"]

#: Of the picture; each has the lowest and the highest sample of its time.
COLUMNS = 1600

_WIDTH, _HEIGHT, _DPI = 16.0, 1.6, 100  # inches, and of one channel
_BLOCK = 1 << 18
_SHADES = {"pause": "0.8"}
_LACKING = "tab:red"


class PlotError(Exception):
    """
    There is no picture.
    """


@frozen(eq=False)
class _Lane:
    """
    One channel of the picture.

    @ivar extremes: the lowest and the highest sample of each column, full scale being 1;
        shape C{(columns, 2)}.
    @ivar streams: the numbers of the streams that are heard in it.
    """

    name: str
    extremes: NDArray[np.float64]
    streams: tuple[int, ...]


def plot(directory: str, manifest: Manifest, path: str) -> None:
    """
    Draw what is heard on each channel, pauses, and what is missing.

    @param directory: the recording's folder.
    @param path: of the PNG file, which is replaced if it is there.
    @raise PlotError: the recording has no audio, it cannot be read, or matplotlib is not
        installed.
    @raise OSError: the file cannot be written.
    """
    audio = manifest["audio"]
    if not audio:
        raise PlotError(f"{directory}: there is no audio yet: the recording is {manifest['state']}")
    try:
        figures, agg = import_module("matplotlib.figure"), _canvas()
    except ImportError as error:
        raise PlotError(
            f"a picture needs matplotlib: pip install 'siprec[plot]' ({error})"
        ) from None
    try:
        lanes = list(_lanes(directory, manifest, audio))
    except soundfile.SoundFileError as error:
        raise PlotError(f"{directory}: {error}") from error
    figure = figures.Figure(figsize=(_WIDTH, 1.0 + _HEIGHT * len(lanes)), dpi=_DPI)
    canvas = agg(figure)
    _draw(figure, lanes, manifest, audio)
    temporary = f"{path}.{os.getpid()}-{uuid4().hex}"
    try:
        with open(temporary, "xb") as file:
            canvas.print_png(file)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _canvas() -> Any:
    # Not pyplot: that looks for a display, and keeps every figure.
    return import_module("matplotlib.backends.backend_agg").FigureCanvasAgg


def _lanes(directory: str, manifest: Manifest, audio: Mapping[str, Any]) -> Iterator[_Lane]:
    names = {each["id"]: each["name"] or each["aor"] for each in manifest["participants"]}
    titles = {}
    for stream in manifest["streams"]:
        who = names.get(stream["participant"]) or stream["label"] or ""
        titles[stream["index"]] = f"{stream['index']} {who}".strip()
    if audio.get("files"):
        for each in audio["files"]:
            [extremes] = _extremes(os.path.join(directory, each["file"]))
            yield _Lane(titles.get(each["stream"], ""), extremes, (each["stream"],))
        return
    found = _extremes(os.path.join(directory, audio["file"]))
    if len(found) == len(titles):
        for (index, title), extremes in zip(titles.items(), found, strict=True):
            yield _Lane(title, extremes, (index,))
    else:
        for extremes in found:
            yield _Lane("mixed" if titles else "", extremes, tuple(titles))


def _extremes(path: str) -> list[NDArray[np.float64]]:
    """
    @return: of each channel of a file.
    """
    with soundfile.SoundFile(path) as sound:
        size = max(-(-sound.frames // COLUMNS), 1)
        step = max(_BLOCK // size, 1) * size
        parts = [np.zeros((0, 2, sound.channels))]
        while len(samples := sound.read(step, always_2d=True)):
            starts = np.arange(0, len(samples), size)
            lowest = np.minimum.reduceat(samples, starts, axis=0)
            parts.append(np.stack((lowest, np.maximum.reduceat(samples, starts, axis=0)), axis=1))
    together = np.concatenate(parts)
    return [together[:, :, channel] for channel in range(together.shape[2])]


def _draw(figure: Any, lanes: list[_Lane], manifest: Manifest, audio: Mapping[str, Any]) -> None:
    start, duration = parseTime(audio["startTime"]), max(audio["duration"], 1e-3)
    rows = figure.subplots(len(lanes), 1, sharex=True, squeeze=False)[:, 0]
    for axes, lane in zip(rows, lanes, strict=True):
        times = np.linspace(0, duration, len(lane.extremes), endpoint=False)
        low, high = lane.extremes.T
        axes.fill_between(times, low, high, step="post", linewidth=0.5)
        axes.set_ylim(-1, 1)
        axes.set_xlim(0, duration)
        axes.set_yticks([])
        # A name may have anything in it, dollar signs, too.
        axes.set_ylabel(printable(lane.name)[:40], rotation=0, ha="right").set_parse_math(False)
        for gap in manifest["gaps"]:
            if gap["stream"] in lane.streams:
                begin, end = (parseTime(gap[key]) - start for key in ("start", "end"))
                axes.axvspan(begin, end, color=_SHADES.get(gap["cause"], _LACKING), alpha=0.4)
    rows[-1].set_xlabel("seconds")
    title = f"{manifest['id']}, from {audio['startTime']}"
    figure.suptitle(printable(title)).set_parse_math(False)
