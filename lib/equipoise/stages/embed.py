"""The stage ``embed``: the pool -> a vector an item, in chunks, so that a killed run goes on where it was."""

import re

from pyspark.errors import PythonException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.config import Config, Embed, EmbeddingsSource
from equipoise.encoders import encoder_id, encoder_kind, given_encoder_id
from equipoise.errors import ConfigError, InputError
from equipoise.pipeline.embedding import filter_without, vectors, with_chunk
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.items import embedding_rows, rejects
from equipoise.runs.context import Account, StageContext
from equipoise.schemas import EMBEDDINGS, REJECTS, Col
from equipoise.sources import content_kind

STAGE = "embed"
ALREADY_EMBEDDED = "already_embedded"
_MENDABLE = re.compile(rf"{ConfigError.__module__}\.{ConfigError.__name__}: (.+)")


def encoder_id_of(config: Config) -> str:
    """The ``encoder_id`` of the vectors that a run works on: its encoder's, or that of its ready-made ones.

    Raises:
        ConfigError: neither is there, or the encoder or an option of it is unknown.
    """
    if isinstance(config.pool_source, EmbeddingsSource):
        return given_encoder_id(config.pool_source.source_name)
    section = _section(config)
    return encoder_id(section.encoder, section.options)


def embed(context: StageContext) -> Account:
    """Embeds the items of the source that this encoder has not embedded before.

    Raises:
        ConfigError: the encoder is unknown or reads another kind of contents than the source has.
        InputError: not one item could be embedded.
    """
    check_kind(context.config)
    contents = context.items().select(Col.item_id, Col.uri, Col.content)
    n_in = contents.count()
    n_fresh = filter_without(contents, _mine(context, context.read(EMBEDDINGS))).count()
    if n_fresh:
        _embed_chunks(context, contents, n_fresh)
    n_missing = filter_without(contents, _mine(context, context.workspace.read(EMBEDDINGS))).count()
    if n_missing == n_in:
        raise InputError(_nothing_embedded(context, n_in))
    n_rejected = _rejected(context).count()
    drops = {ALREADY_EMBEDDED: n_in - n_fresh} if n_in > n_fresh else {}
    return Account(n_in, n_fresh - n_missing, n_rejected, drops)


def check_kind(config: Config) -> None:
    """Checks that the encoder reads what the source holds; needs no Spark.

    Raises:
        ConfigError: it does not, or it is unknown.
    """
    encoder, kind = _section(config).encoder, content_kind(config.pool_source)
    if kind is not None and encoder_kind(encoder) != kind:
        raise ConfigError(
            f"embed.encoder: {encoder!r} reads {encoder_kind(encoder)}, the source holds {kind}; name another"
        )


def _embed_chunks(context: StageContext, contents: DataFrame, n_fresh: int) -> None:
    section, name = _section(context.config), encoder_id_of(context.config)
    # From the counts at the start of the run, so that a run that goes on cuts the same chunks.
    n_chunks = -(-n_fresh // section.items_per_commit)
    done = _mine(context, context.workspace.read(EMBEDDINGS))
    todo = filter_without(filter_without(contents, done), _rejected(context))
    with persisted(with_chunk(todo, n_chunks)) as chunked:
        sizes = sorted((chunk, size) for chunk, size in chunked.groupBy(Col.chunk).count().collect())
        n_done = n_fresh - sum(size for _, size in sizes)
        context.progress.count(STAGE, n_done, n_fresh)
        for chunk, size in sizes:
            encoded = vectors(
                chunked.where(F.col(Col.chunk) == chunk),
                section.encoder,
                section.options,
                n_items=-(-n_fresh // n_chunks),
                batch_size=section.batch_size,
            )
            _write(context, encoded, name)
            n_done += size
            context.progress.count(STAGE, n_done, n_fresh)


def _write(context: StageContext, encoded: DataFrame, name: str) -> None:
    with persisted(encoded) as outcome:
        refused = rejects(outcome, run_id=context.run_id, stage=STAGE)
        # A commit costs far more than a look at what is persisted; and the look is what runs the encoder.
        if not _all_encoded(refused):
            context.workspace.insert_new(REJECTS, refused)
        context.workspace.insert_new(EMBEDDINGS, embedding_rows(outcome, name), within={Col.encoder_id: name})


def _all_encoded(refused: DataFrame) -> bool:
    """Whether none was refused.

    Raises:
        ConfigError: the workers found an option or a model wrong: the user can mend that.
    """
    try:
        return refused.isEmpty()
    except PythonException as error:
        mendable = _MENDABLE.search(str(error))
        if mendable is None:
            raise
        raise ConfigError(mendable.group(1)) from error


def _mine(context: StageContext, embeddings: DataFrame) -> DataFrame:
    return embeddings.where(F.col(Col.encoder_id) == encoder_id_of(context.config))


def _rejected(context: StageContext) -> DataFrame:
    here = (F.col(Col.run_id) == context.run_id) & (F.col(Col.stage) == STAGE)
    return context.workspace.read(REJECTS).where(here)


def _section(config: Config) -> Embed:
    if config.embed is None:
        raise ConfigError(
            f"source.kind: {config.pool_source.kind} needs vectors: add the section embed, with an encoder"
        )
    return config.embed


def _nothing_embedded(context: StageContext, n_in: int) -> str:
    source = context.config.pool_source.source_name
    example = _rejected(context).first()
    cause = "the pool holds none" if example is None else f"for example: {example[Col.reason]}: {example[Col.detail]}"
    return f"source {source!r}: no item could be embedded, of {n_in:,} in the pool; {cause}"
