"""What `equipoise plan` says of a config and a machine; starts nothing."""
