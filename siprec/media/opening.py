"""
SRTP in the arena: the packets of one stream opened where they lie, a batch at a time.
"""

from collections.abc import Sequence

from attrs import evolve

from siprec.media.batch import HEADROOM, Held, Receiver
from siprec.media.libsrtp import OLD, REPLAYED
from siprec.media.srtp import Protection, isControl

__all__ = ["openControl", "openRun"]

_HEAD = 12  # octets of the fixed header of RTP


def openRun(receiver: Receiver, protection: Protection, first: int, count: int) -> list[int]:
    """
    Open what came at the RTP port of a stream.

    @param first: its first slot; the others follow.
    @return: the slots that are still closed, and are to be forgotten.
    """
    retry = protection.begin()
    slots = range(first, first + count)
    sizes = receiver.lengths(first, count)
    seconds = _octets(receiver, first, count, 1)
    if not protection.quick or max(sizes) > receiver.slotSize or any(map(isControl, seconds)):
        pairs = zip(slots, seconds, strict=True)
        return [slot for slot, second in pairs if not _open(receiver, protection, slot, second)]
    # An attempt with the wrong key may spoil a packet.
    before = [receiver.read(slot) for slot in slots] if retry else []
    statuses = protection.openAll(*receiver.places(first, count))
    if not any(statuses):
        protection.note(receiver.read(slots[-1])[:_HEAD])
        return []
    opened = [slot for slot, status in zip(slots, statuses, strict=True) if not status]
    if opened:
        protection.note(receiver.read(opened[-1])[:_HEAD])
    failed = []
    for index, (slot, status) in enumerate(zip(slots, statuses, strict=True)):
        if not status:
            continue
        if not retry or status in (REPLAYED, OLD):
            protection.reject(status)
            failed.append(slot)
            continue
        data = protection.open(before[index])
        if data is None:
            failed.append(slot)
        else:
            receiver.write(slot, data)
    return failed


def openControl(protection: Protection, taken: Sequence[Held]) -> list[Held]:
    """
    @param taken: what came at the RTCP port.
    @return: what of it could be opened, in the clear.
    """
    protection.begin()
    found = [(each, protection.open(each.data, control=True)) for each in taken]
    return [evolve(each, data=data, wire=len(data)) for each, data in found if data is not None]


def _octets(receiver: Receiver, first: int, count: int, at: int) -> list[int]:
    begin = first * receiver.stride + HEADROOM + at
    end = begin + count * receiver.stride
    octets: list[int] = receiver.memory[begin : end : receiver.stride].tolist()
    return octets


def _open(receiver: Receiver, protection: Protection, slot: int, second: int) -> bool:
    data = protection.open(receiver.read(slot), control=isControl(second))
    if data is not None:
        receiver.write(slot, data)
    return data is not None
