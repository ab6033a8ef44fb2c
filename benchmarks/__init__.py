"""What the library costs, against a floor that is measured in the same run; `make bench` runs it."""
