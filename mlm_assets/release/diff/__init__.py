"""What changed between two releases: the figures (`report`), the page with pictures (`page`), the notes (`notes`).

Two sides (`sides.Side`) go in, a plain dict comes out; files are made of it by `files`. Tables are compared by DuckDB
(`sql/diff`), never row by row in Python. Which versions a side is made of is not known here (`lineage.sides`).
"""
