"""Pure numerics on arrays: no Spark, no files."""
