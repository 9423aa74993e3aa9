"""
Recording metadata (RFC 7865): model, tolerant parser, merge, binding, vendors.
"""
