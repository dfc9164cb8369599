"""What assets talk to: the services of Wikimedia through one polite transport, the lake, later the device.

The clients (`wikidata`, `wikipedia`, `commons`) and what they stand on (`http`, `wire`, `politeness`, `failures`)
know nothing of Dagster. Does not belong here: what is done with an answer (domain code and `sql/`).
"""
