"""
What makes several nodes one recorder: who is there, and who goes on with whose calls.
"""
