"""The experiments of the papers: simulated data, controlled imbalance and duplication; for notebooks and tests."""
