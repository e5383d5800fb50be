"""Tests of the checks of whole models in uses beyond evaluation."""
