"""
The nodes of a cluster, and how they speak to one another.
"""
