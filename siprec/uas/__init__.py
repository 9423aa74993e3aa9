"""
The user agent server: the dialogs of recording sessions (RFC 7866 section 6.2).
"""
