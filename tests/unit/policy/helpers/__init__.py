"""Helpers of the tests of policies."""
