"""
Hearing a call while it runs.
"""
