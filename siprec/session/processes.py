"""
Which process a lease belongs to, so that one that has crashed is known to be dead.
"""

from __future__ import annotations

import os

from siprec.session.model import NodeLease

__all__ = ["isGone", "sharesNetwork", "thisProcess"]


def thisProcess() -> dict[str, str]:
    """
    @return: what makes a process id mean something, for L{NodeLease.data}:
        C{boot}, the life of the kernel; C{pidNamespace}, as the processes of
        two containers may have the same number; C{netNamespace}, whose
        addresses it sees; C{started}, when this process did, in ticks since
        the boot.  Empty where the system does not say.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return {
            "boot": boot,
            "pidNamespace": os.readlink("/proc/self/ns/pid"),
            "netNamespace": os.readlink("/proc/self/ns/net"),
            "started": _stat(os.getpid())[1],
        }
    except OSError:
        return {}


def isGone(holder: NodeLease) -> bool:
    """
    @param holder: a lease of another instance than this one.
    @return: whether its process is known to be dead: it was one of this
        machine and there is none of its number now, or another.
    """
    here = thisProcess()
    for name in ("boot", "pidNamespace"):
        if name not in here or holder.data.get(name) != here[name]:
            return False
    if holder.pid == os.getpid():
        return True  # the first process of a container that was started again
    if holder.pid <= 0:  # kill(2) means process groups by those
        return False
    try:
        os.kill(holder.pid, 0)
        state, started = _stat(holder.pid)
    except ProcessLookupError:
        return True
    except OSError:  # it is there, but another user's, or just ending
        return False
    return state in "ZX" or started != holder.data.get("started")


def sharesNetwork(holder: NodeLease) -> bool:
    """
    @return: whether a process sees the same addresses as this one: it is on
        the same machine, and in the same container as far as the network goes.
    """
    here = thisProcess()
    return bool(here) and all(
        holder.data.get(name) == here[name] for name in ("boot", "netNamespace")
    )


def _stat(pid: int) -> tuple[str, str]:
    """
    @return: the state (proc(5): Z is dead but not waited for) and the start of
        a process.
    """
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        # The second field is the name, in parentheses, and may hold anything.
        fields = file.read().rpartition(")")[2].split()
    return fields[0], fields[19]
