"""Tests of the examples that are packages."""
