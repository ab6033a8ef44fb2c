"""A bot that trades on a grid."""

__version__ = "1.0"
