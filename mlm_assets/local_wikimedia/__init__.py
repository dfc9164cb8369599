"""The local Wikimedia: one server that speaks SPARQL, the Action API and Commons files, from a world of our own.

`worlds` says what is served, `server` serves it, `process` runs it beside the caller. Clients live in
`mlm_assets.resources` and know nothing of this package.
"""
