"""What can be told of an encoder before Spark starts."""

from equipoise.encoders import check_encoder
from equipoise.pipeline.locating import is_local_alone
from equipoise.stages.embed import Embedding


def check(settings: Embedding) -> None:
    """Checks that the model is to be had, where the executors are surely this machine's or like it.

    Raises:
        ConfigError: it is not.
    """
    if is_local_alone():
        check_encoder(settings.encoder, settings.options)
