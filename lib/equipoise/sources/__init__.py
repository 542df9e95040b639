"""The user's data -> raw items (:data:`equipoise.pipeline.items.RAW`), one module a kind of source."""
