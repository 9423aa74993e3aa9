"""
Payloads for the tests of codecs.
"""

import numpy as np

from siprec.render.codec import Payloads

__all__ = ["payloadsOf"]


def payloadsOf(*payloads: bytes) -> Payloads:
    """
    @return: the same, as they come out of a journal.
    """
    length = np.array([len(each) for each in payloads], np.int64)
    return Payloads(np.frombuffer(b"".join(payloads), np.uint8), np.cumsum(length) - length, length)
