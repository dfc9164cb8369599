"""The fault suite: what the checks catch, what they miss, and how often they cry over nothing.

A history of 36 clean months is lived through for several seeds, and one fault at a time is seeded into a copy of one of
them. What the checks said is read from the audits in the lake. Run by `make bench-quality`; how it measures and what
came of it is in `docs/quality.md`. Bands, checks and tamperings are not tuned here.
"""
