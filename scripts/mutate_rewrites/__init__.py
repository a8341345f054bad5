"""Makes documents of known facts, rewrites that keep them, and rewrites that do not.

It knows nothing of the checks that are measured with it: no recogniser, no threshold.
"""
