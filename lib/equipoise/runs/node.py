"""A step of a run, as data: what it needs, what it makes, and where its work is to be found."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from equipoise.config import Section, identity
from equipoise.schemas import Slice

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, eq=False)
class Node(Generic[S]):
    """One step; no stage of the pipeline knows another: edges follow from what is needed and who makes it.

    Functions are named as ``module:function`` and loaded when they run: a declaration imports no Spark.

    Attributes:
        name: ``FAMILY`` or ``FAMILY:WHICH``.
        settings: all that its result depends on; keys marked ``HOW`` are left out of the fingerprint.
        work: (Context, settings) -> Account.
        sources: whose items it is about.
        needs: rows that others make.
        after: nodes with drops that it goes behind, beside those that it needs anyhow.
        makes: whole partitions that are its own: replaced by it alone.
        drops: of its slices the one whose items do not go on.
        is_sieve: what comes later goes behind it, where it is about the same sources, needed or not.
        seed: where it draws.
        revision: raised when the same settings give another result.
        judges: nothing stands on it; it is done again without being asked when what it stands on changed.
        check: settings -> None; needs no Spark, raises what the user can mend before any work.
        check_on_spark: (Context, settings) -> None; the same for what Spark alone can tell.
        check_stored: (Context, settings) -> None; the same for what the nodes that it stands on left, where those are
            finished and stay: before anything is replaced.
        origin: the place outside the workspace that the items of its source come from, in one spelling.
        outside: (Context, settings) -> the states of data outside the workspace by path, None where one is not known.
    """

    name: str
    settings: S
    work: str
    sources: tuple[str, ...] = ()
    needs: tuple[Slice, ...] = ()
    after: tuple[str, ...] = ()
    makes: tuple[Slice, ...] = ()
    drops: Slice | None = None
    is_sieve: bool = False
    seed: int | None = None
    revision: int = 1
    judges: bool = False
    check: str | None = None
    check_on_spark: str | None = None
    check_stored: str | None = None
    outside: str | None = None
    origin: str | None = None

    @property
    def family(self) -> str:
        """The name that ``--force`` takes, and that of its job."""
        return self.name.partition(":")[0]

    @property
    def which(self) -> str:
        """What tells it from others of its family; empty where there is one."""
        return self.name.partition(":")[2]

    @property
    def shares(self) -> tuple[Slice, ...]:
        """Of what it makes the slices that other runs may write to, too."""
        return tuple(part for part in self.makes if not part.table.is_of_run)

    def checked(self) -> None:
        """Runs its check.

        Raises:
            ConfigError, InputError: what was found.
        """
        if self.check:
            loaded(self.check)(self.settings)

    def fingerprint(self, parents: Iterable[str], outside: Mapping[str, int]) -> str:
        """What its result depends on, in short.

        No version of the package or of a table: an upgrade, or what another run adds, changes no result of this one.
        """
        own = [self.family, self.revision, identity(self.settings), self.seed]
        return hashlib.sha256(json.dumps([own, sorted(parents), dict(outside)], sort_keys=True).encode()).hexdigest()


def loaded(name: str) -> Any:
    """The function ``module:function``."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)
