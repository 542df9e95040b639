"""Shards as WebDataset and img2dataset write them: the members of one key are a sample. Needs no Spark."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from equipoise.config import WebDatasetSource
from equipoise.pipeline.reasons import CONTENT_TOO_LARGE, DAMAGED_FILE, EMPTY_FILE, MISSING_CONTENT
from equipoise.pipeline.tar_members import Member, is_ambiguous, member_key
from equipoise.schemas import Col
from equipoise.sources.json_values import MALFORMED, Value, only_value
from equipoise.sources.listing import UNREADABLE_FILE, UNREADABLE_NAME, file_kind
from equipoise.sources.parquet_files import damage
from equipoise.sources.surveying import few_kinds
from equipoise.sources.tar_files import DamagedTarError, Entry, TarReader, opened_tar

CAPTION, CLASS, PARENT = "caption", "cls", "parent_folder"
_JSON, _TEXT, _CLASS = "json", "txt", "cls"
_SIDES = (_JSON, _TEXT, _CLASS)
_MOST_SIDE_BYTES = 16 << 20
_MOST_OPEN, _MOST_OPEN_BYTES = 4096, 64 << 20
"""Samples that wait for more members, and the bytes of their texts: archives of folders are in no order."""


class Problem(NamedTuple):
    """Why a sample, or a member, cannot be used."""

    reason: str
    detail: str


@dataclass
class Sample:
    """The members of one key: pictures, and the texts beside them where they are wanted."""

    key: str
    pictures: list[Entry] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    json: Value | None = None
    problem: Problem | None = None
    endings: list[str] = field(default_factory=list)
    n_bytes: int = 0

    def text(self, name: str) -> str | None:
        """A field of the JSON; of ``caption`` and ``cls`` else the text of those members."""
        found = None if self.json is None else self.json.text(name)
        found = self.texts.get({CAPTION: _TEXT, CLASS: _CLASS}.get(name, "")) if found is None else found
        return None if found is None else found.encode(errors="replace").decode()

    @property
    def names(self) -> set[str]:
        """Of all that :meth:`text` may be asked for."""
        beside = {CAPTION: _TEXT, CLASS: _CLASS}
        fields = () if self.json is None or self.json.fields is None else self.json.fields
        return {*fields, *(name for name, ending in beside.items() if ending in self.texts)}


def shard_rows(uri: str, source: WebDatasetSource) -> Iterator[dict[str, Any]]:
    """Raw items of a shard, one a picture; one for a sample without a picture, and for what is wrong with the shard.

    The last has what was passed over, by kind. What comes before a damage is there, and after it one row
    ``damaged_file``; a shard without samples is one row ``empty_file``.
    """
    last: dict[str, Any] | None = None
    passed: Counter[str] = Counter()
    for row in _rows(uri, source, passed):
        if last is not None:
            yield last
        last = row
    last = last or _of_shard(uri, Problem(EMPTY_FILE, "no member of it is a picture"))
    yield {**last, Col.passed: list(few_kinds(passed).items())}


def samples(reader: TarReader, source: WebDatasetSource, passed: Counter[str]) -> Iterator[Sample]:
    """The samples, in the order of their first members; ``passed`` counts what belongs to none.

    Members of one key need not follow each other where fewer than some thousand keys lie between them.

    Raises:
        DamagedTarError: as of :meth:`TarReader.entries`, after the samples before it.
    """
    waiting: OrderedDict[str, Sample] = OrderedDict()
    n_bytes, error = 0, None
    entries = reader.entries()
    while True:
        try:
            entry = next(entries, None)
        except DamagedTarError as found:
            error, entry = found, None
        if entry is None:
            break
        if entry.passed is not None:
            passed[entry.passed] += 1
            continue
        key, ending = split(entry.name)
        sample = waiting.setdefault(key, Sample(key))
        n_bytes += _added(sample, entry, ending, reader=reader, source=source, passed=passed)
        while len(waiting) > _MOST_OPEN or n_bytes > _MOST_OPEN_BYTES:
            _, done = waiting.popitem(last=False)
            n_bytes -= done.n_bytes
            yield done
    yield from waiting.values()
    if error is not None:
        raise error


def split(name: str) -> tuple[str, str]:
    """Key and ending of a member: at the first dot of its base name, as WebDataset has it."""
    folder, slash, base = name.rpartition("/")
    stem, _, ending = base.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _added(
    sample: Sample, entry: Entry, ending: str, *, reader: TarReader, source: WebDatasetSource, passed: Counter[str]
) -> int:
    """Puts a member to its sample; returns the bytes of text that it brought."""
    sample.endings.append(ending or entry.name)
    if entry.name.lower().endswith(source.suffixes):
        sample.pictures.append(entry)
    elif ending not in _SIDES:
        passed[file_kind(entry.name)] += 1
    elif source.label not in (None, PARENT) or source.attributes or source.url_field:
        return _with_text(sample, entry, ending, reader)
    return 0


def _with_text(sample: Sample, entry: Entry, ending: str, reader: TarReader) -> int:
    if entry.reason == UNREADABLE_FILE:
        sample.problem = Problem(entry.reason, f"{entry.name}: {entry.detail}")
        return 0
    if entry.n_bytes > _MOST_SIDE_BYTES:
        limit = f"{entry.n_bytes:,} bytes; texts beside a picture may have {_MOST_SIDE_BYTES:,}"
        sample.problem = Problem(CONTENT_TOO_LARGE, f"{entry.name}: {limit}")
        return 0
    content = reader.content(entry.offset, entry.n_bytes)
    if ending == _JSON:
        sample.json = only_value(content.decode(errors="replace"))
        if sample.json.problem is not None:
            sample.problem = Problem(MALFORMED, f"{entry.name}: {sample.json.problem}")
    else:
        text = content.decode(errors="replace")
        sample.texts[ending] = text.strip() if ending == _CLASS else text
    sample.n_bytes += len(content)
    return len(content)


def _rows(uri: str, source: WebDatasetSource, passed: Counter[str]) -> Iterator[dict[str, Any]]:
    if is_ambiguous(uri):
        yield _of_shard(uri, Problem(UNREADABLE_NAME, "its name, or its folder's, has .tar!/ in it: rename it"))
        return
    try:
        with opened_tar(uri) as reader:
            for sample in samples(reader, source, passed):
                yield from _of_sample(uri, sample, source)
    except (OSError, ValueError) as error:  # of the shard, whatever its file system says
        detail = str(error) if isinstance(error, DamagedTarError) else damage(uri, error)
        yield _of_shard(uri, Problem(DAMAGED_FILE, detail))


def _of_shard(uri: str, problem: Problem) -> dict[str, Any]:
    return {Col.key: uri, Col.uri: uri, Col.reason: problem.reason, Col.detail: problem.detail}


def _of_sample(uri: str, sample: Sample, source: WebDatasetSource) -> Iterator[dict[str, Any]]:
    if not sample.pictures:
        detail = f"no member of {sample.key} is a picture ({', '.join(source.extensions)}): {_shown(sample.endings)}"
        yield {**_of_shard(uri, Problem(MISSING_CONTENT, detail)), Col.key: member_key(uri, sample.key)}
        return
    shared = {
        Col.attributes: [(name, sample.text(name)) for name in dict.fromkeys(source.attributes)] or None,
        Col.url: None if source.url_field is None else sample.text(source.url_field),
    }
    for entry in sample.pictures:
        member = Member(uri, entry.name, entry.offset, entry.n_bytes)
        label = _label(entry, sample, source.label)
        problem = Problem(entry.reason, str(entry.detail)) if entry.reason else sample.problem
        told = {} if problem is None else {Col.reason: problem.reason, Col.detail: problem.detail}
        plain = {Col.key: member.key, Col.uri: member.uri, Col.n_bytes: entry.n_bytes, Col.label: label}
        yield {**plain, **shared, **told}


def _label(entry: Entry, sample: Sample, label: str | None) -> str | None:
    if label != PARENT:
        return None if label is None else sample.text(label)
    return entry.name.rpartition("/")[0].rpartition("/")[2] or None


def _shown(endings: Sequence[str]) -> str:
    return f"{', '.join(endings[:5])}{'' if len(endings) <= 5 else ', ...'} are there"
