"""The benchmark of the paper, and the honest additions: from what models say to one report, tables and plots.

`report.evaluate` makes the report; `tables` and `plots` show it. Needs numpy and scipy, and matplotlib for plots; never
torch. How predictions are made belongs to `ml.inference`.
"""
