"""
Recording sessions: their model, manifest and service.
"""
