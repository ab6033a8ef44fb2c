"""What the library promises, written once and run on every engine."""
