"""
What the session service needs of the rest of the house.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import Interface

_P = ParamSpec("_P")
_T = TypeVar("_T")


class RendererStopped(Exception):
    """
    The node is stopping; what was not rendered is, when it starts again.
    """


def isFull(error: Exception) -> bool:
    """
    @return: whether something could not be written as there is no room for it.  What
        failed in another process is known by its text only.
    """
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return os.strerror(errno.ENOSPC) in str(error) or os.strerror(errno.EDQUOT) in str(error)


class IWorkers(Interface):
    """
    Threads for what blocks (files, mostly), never the reactor's own, which
    resolve names.
    """

    def run(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """
        @return: fires in the reactor thread with what C{function} returned,
            or fails with what it raised.
        """


@frozen
class Silence:
    """
    What is made of a recording without a single packet.

    @ivar rendering: as L{IRenderer.render} would give it.
    @ivar files: name and content of those that it would have written.
    """

    rendering: dict[str, Any]
    files: Mapping[str, bytes]


class IRenderer(Interface):
    """
    Makes audio of journals.
    """

    def render(directory: str) -> Deferred[dict[str, Any]]:
        """
        @param directory: a recording's directory with its manifest.
        @return: fires with what was found and written (see
            L{siprec.render.recording.renderDirectory}), or fails with the
            reason, or with L{RendererStopped}; the journals are as they were
            in every case.
        """

    def silence(manifest: Mapping[str, Any]) -> Silence | None:
        """
        Tell what L{render} would find, where nothing has come.

        @param manifest: of a recording without journals.
        @return: C{None}: L{render} is to be asked.
        """
