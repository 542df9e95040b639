"""DataFrame in, DataFrame out: what Spark does around the kernels. Knows no paths, tables or configuration files."""
