"""How a generated world moves forward: month 0 is 2026-12, and month K is month K-1 plus edits.

Everything is drawn from (seed, month) and the item, never from a running generator (`dice`). `state` holds the world
while it is edited, `items`, `wikis` and `shocks` are the edits, `months` walks through them. Plans that are edited are
replaced, so that the plans of month 0 stay what they were. What is served of a month is `generator.world`'s business.
"""
