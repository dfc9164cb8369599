"""Where a settlement lies: geo-cells, countries, the quotas of the EU variant, and the plots that show it.

Domain code: numbers in, numbers out. Reading and writing tables, and everything of Dagster, belongs to
`assets`.
"""
