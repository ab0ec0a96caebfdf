"""Tests of how teams deliver."""
