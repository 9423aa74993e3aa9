"""
SDP (RFC 8866) and the recorder's half of offer/answer (RFC 3264).
"""
