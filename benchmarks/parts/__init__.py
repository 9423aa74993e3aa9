"""
The parts of the benchmarks, a module with a function C{run} each.
"""
