"""
Bytes at random for everything that reads what peers send.
"""
