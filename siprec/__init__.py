"""
siprec: a clustered SIPREC session recording server (RFC 7866) on Twisted.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
