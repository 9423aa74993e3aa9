"""
Run the benchmarks, as C{make bench} and C{make bench-check} do.
"""

import sys

from benchmarks.suite import main

sys.exit(main())
