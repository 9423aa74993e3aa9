"""
The objects of the shell's namespace that are no commands: the node and its store,
to be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, frozen

from siprec import __version__
from siprec.config import Settings
from siprec.session.live import LiveRecording
from siprec.shell.interfaces import IShellNode
from siprec.shell.tables import Facts
from siprec.uas.call import Call

__all__ = ["NodeView", "StoreView"]

#: The methods of both kinds of store (L{siprec.store.interfaces}) that only read.
_READING = (
    *("exists", "get", "health", "list", "listByCallID", "listBySession"),
    *("load", "nodes", "stats"),
)


def _writing(listeners: list[tuple[str, str, int]]) -> str:
    return ", ".join(
        f"{kind.lower()} {f'[{host}]' if ':' in host else host}:{port}"
        for kind, host, port in listeners
    )


@frozen(eq=False, repr=False)
class NodeView:
    """
    This node: who it is, where it listens, whether it takes calls.

    node.settings, node.calls (SIP dialogs) and node.recordings lead to the
    objects themselves, for a closer look.
    """

    _node: IShellNode

    @property
    def settings(self) -> Settings:
        """
        What it was configured with.
        """
        return self._node.settings

    @property
    def calls(self) -> list[Call]:
        """
        Its SIP dialogs.
        """
        return list(self._node.recorder.calls.values())

    @property
    def recordings(self) -> dict[str, LiveRecording]:
        """
        What it records or finishes, by id.
        """
        return {str(key): live for key, live in self._node.sessions.recordings.items()}

    def __repr__(self) -> str:
        node = self._node
        sessions, free = node.sessions, node.sessions.disk.free
        http = node.httpAddress
        return str(
            Facts(
                (
                    ("node", sessions.node),
                    ("version", __version__),
                    ("SIP", _writing(node.sipAddresses)),
                    ("HTTP", "off" if http is None else f"{http[0]}:{http[1]}"),
                    ("store", self.settings.store.url.partition(":")[0]),
                    ("recordings", sessions.root),
                    ("disk free", "unknown" if free is None else f"{free / 2**20:.0f} MiB"),
                    ("calls", len(node.recorder.calls)),
                    ("sessions", len(sessions.recordings)),
                    ("draining", sessions.draining),
                    ("not ready", node.notReady() or "no, it takes calls"),
                )
            )
        )


@define(eq=False, repr=False)
class StoreView:
    """
    The store of the sessions' state.  Its reading methods can be called; what
    they answer is awaited and shown.
    """

    _store: Any

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _READING:
            raise AttributeError(f"the shell only reads: {', '.join(self._methods())}")
        method: Callable[..., Any] = getattr(self._store, name)
        return method

    def __dir__(self) -> list[str]:
        return self._methods()

    def __repr__(self) -> str:
        return f"{type(self._store).__name__}: {', '.join(f'{n}()' for n in self._methods())}"

    def _methods(self) -> list[str]:
        return [name for name in _READING if hasattr(self._store, name)]
