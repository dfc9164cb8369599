"""Kinds of faults that were written after all thresholds were fixed, and are reported apart from the others.

They tell whether the checks find what nobody had in mind when the bands were set. Nothing in `bands`, in the checks or
in the tamperings may be changed because of what is found here; a kind that was looked at moves to `ours`, and another
one takes its place.
"""

from typing import Final

from benchmarks.quality.kinds import Kind

HELD_OUT: Final[tuple[Kind, ...]] = ()
"""The kinds of this module."""
