"""Measurements of docs/benchmark.md; `make bench` prints them as one JSON. Not tests: nothing fails for being slow."""
