"""What looks at results and makes nothing that a stage reads: comparisons, reports, plans of costs, queries."""
