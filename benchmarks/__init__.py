"""
What the recorder costs.  C{python -m benchmarks} runs all parts that C{docs/performance.rst}
describes; each script also runs by itself.
"""
