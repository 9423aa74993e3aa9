"""
Stores of sessions and snapshots.
"""
