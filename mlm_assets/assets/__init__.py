"""The assets, one module per group. Each reads the lake, calls domain code or one SQL file, writes, and reports."""

import warnings

# Two parts of Dagster that we use on purpose are marked beta (partition mappings by dimension, links to the source);
# their versions are pinned. Without this, every command would print the same thirty lines.
warnings.filterwarnings("ignore", message=".* is currently in beta")
