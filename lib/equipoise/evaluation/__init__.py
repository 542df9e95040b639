"""What is measured: balance, classes, fairness, k-NN and probes, retrieval. DataFrames or arrays in, values out."""
