"""
The shell to look inside a node with: its commands, and how they come over SSH.
"""
