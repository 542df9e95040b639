"""What can be said of a clustering before Spark starts."""

from equipoise.kernels.backends import choose
from equipoise.stages.cluster.section import Cluster


def check(settings: Cluster) -> None:
    """Checks that the backend is there.

    Raises:
        ConfigError: it is not.
    """
    choose(settings.backend)
