"""Where a number comes from: from a check or a count to rows, versions, code, requests and revisions.

Reads the lake and changes nothing. How it is printed belongs to `commands`; nothing here knows Dagster.
"""
