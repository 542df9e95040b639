"""What a clustering costs on a machine: arithmetic on sizes, beside the engine that it describes."""
