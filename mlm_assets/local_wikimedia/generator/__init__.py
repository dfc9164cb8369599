"""The generated world: places, articles and files that never existed, made from a number and a seed.

Order of making: `taxonomy` (classes) and `countries`, then `settlements` (a plan per candidate), and from the plans
`triples` (Wikidata), `texts` (Wikipedia) and `pictures` (Commons). Plans are data: whatever changes with time changes a
plan, never what is made from it.
"""
