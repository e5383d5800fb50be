"""The pull-request gate: head against base, every session, one verdict.

The two sides are environments that differ in nothing but the repository's own files; what they import is verified and said.
"""
