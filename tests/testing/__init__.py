"""
Tests for L{siprec.testing}.
"""
