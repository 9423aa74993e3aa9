"""
The kind of class that documents and their state are made of, by the thousand for a
conference.

It is a frozen class of attrs for the type checker, which every change has to pass.  At
run time it is not: a frozen one sets each attribute by a call of its own, which makes it
three times as dear to make, and merging a conference half again as slow.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen as value
else:
    from attrs import define

    value = define(eq=True, unsafe_hash=True, on_setattr=None)

__all__ = ["value"]
