"""The stages of a run, each thin: read, one call, write."""
