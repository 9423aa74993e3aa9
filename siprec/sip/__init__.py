"""
SIP (RFC 3261): a pure protocol core and, in C{layer} and C{transport}, its Twisted shells.
"""
