"""
The HTTP interface: health, metrics and the API.
"""
