"""Taking something back for good: an item or a file of Commons goes from the lake, the features and the releases.

`plan` finds out what has to go, `rows` says what a table is without it, `versions` gives purged versions their new
names everywhere, `beside` removes what lies beside the tables, `folders` what researchers download; `taking_back` does
all of it in an order that a kill cannot spoil. That nothing comes back is seen to by `resources.takedowns`.
"""
