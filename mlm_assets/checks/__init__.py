"""Data-quality checks: constraints of the registry, and the two sums that say that nothing was lost."""
