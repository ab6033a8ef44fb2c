"""Tests of the money math: tables computed by hand, and properties that hold for every number."""
