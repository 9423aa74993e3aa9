"""
PyAV (the extra C{codecs}), and which codecs its libavcodec decodes.

A node has to say what it can record, and decodes nothing: so it does not load PyAV, which
is long in loading, but asks the library, which PyAV has its modules linked with.
"""

import ctypes
import os
from collections.abc import Mapping
from functools import cache
from glob import glob
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["DECODERS", "available", "decodable", "libav"]

#: The decoder for each encoding name; some codecs have several.
DECODERS: Mapping[str, str] = {
    "G722": "g722",
    "G729": "g729",
    "GSM": "gsm",
    "OPUS": "libopus",
    "ILBC": "ilbc",
    "AMR": "libopencore_amrnb",
    "AMR-WB": "libopencore_amrwb",
}


@cache
def libav() -> Any:
    """
    @return: PyAV, or C{None} where it is not installed.
    """
    try:
        av = import_module("av")
    except ImportError:
        return None
    # It is the peer's audio that is damaged, if something is.
    av.logging.set_level(av.logging.PANIC)
    return av


@cache
def available() -> frozenset[str] | None:
    """
    @return: which of these decoders there are: what a build of FFmpeg has differs; C{None}
        without PyAV.
    """
    spec = find_spec("av")
    folders = (spec and spec.submodule_search_locations) or ()
    modules = [path for folder in folders for path in glob(os.path.join(folder, "_core*.so"))]
    for path in modules:
        try:
            # Found by way of the module, since the library's own file has any name.
            find = ctypes.CDLL(path).avcodec_find_decoder_by_name
        except (OSError, AttributeError):
            continue
        find.argtypes, find.restype = [ctypes.c_char_p], ctypes.c_void_p
        return frozenset(name for name in DECODERS.values() if find(name.encode()))
    # Another version of it, or a system that links in another way.
    av = libav()
    return None if av is None else frozenset(DECODERS.values()) & av.codec.codecs_available


def decodable() -> tuple[str, ...]:
    """
    @return: the encoding names of what this machine decodes, in lower case; none without
        PyAV.
    """
    found = available()
    if found is None:
        return ()
    # Linear samples need no decoder, but come at rates that nothing else has.
    return (*(codec.lower() for codec, name in DECODERS.items() if name in found), "l16")
