"""Images by models as torch.hub has them: a repository of GitHub, or a folder, with a ``hubconf.py``."""

import ast
import fcntl
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.encoders.base import needs
from equipoise.encoders.files import folder_hash, model_folder
from equipoise.encoders.hub import check_url
from equipoise.encoders.image_encoder import TorchImageEncoder
from equipoise.encoders.preparing import Preparation
from equipoise.errors import ConfigError, nearest

if TYPE_CHECKING:
    import torch

HUBCONF = "hubconf.py"
_REPOSITORY = re.compile(r"[\w.\-]+/[\w.\-]+", re.ASCII)
_REVISION = re.compile(r"[\w.\-]+", re.ASCII)
_code: set[str] = set()
"""Modules of the repository that was loaded last in this process."""


class TorchHubEncoder(TorchImageEncoder):
    """What an entry point of a ``hubconf.py`` returns, a torch module that gives (n, d).

    The repository's code is run: one of GitHub only where ``trust_remote_code`` says so. A folder is the user's own, as
    a TorchScript file is; its hash is in the ``encoder_id``. By default pictures are prepared as DINOv2 is evaluated.

    Args:
        entry: ``<owner>/<repository>:<entry point>`` or ``<folder>:<entry point>``.
        arguments: of the entry point, by name.
        trust_remote_code: code of others may be fetched and run.
        revision: of a repository, a branch, tag or commit.
        shared: see :class:`equipoise.encoders.image_encoder.ImageEncoder`.

    Raises:
        ConfigError: torch, the repository or folder, its entry point or a library that it names is not there; it may
            not be run; an option is out of range.
    """

    family = "torchhub"
    defaults = Preparation(size=256, resize="shortest_side", crop=224, interpolation="bicubic").model_dump()

    def __init__(
        self,
        entry: str,
        *,
        arguments: dict[str, str | bool | int | float | None] | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
        **shared: Any,
    ) -> None:
        self.check(entry, trust_remote_code=trust_remote_code, revision=revision, **shared)
        self._entry, self._arguments, self._revision = entry, arguments or {}, revision
        super().__init__(entry, **shared)

    @classmethod
    def check(
        cls, entry: str, *, trust_remote_code: bool | None = None, revision: str | None = None, **options: Any
    ) -> None:
        """Looks whether the code is there and may be run, and what it says of itself; runs none of it.

        Raises:
            ConfigError: it is not, may not, or has no such entry point.
        """
        encoder = cls.name_of(entry)
        needs("torch", extra="torch", encoder=encoder)
        place, name = _parts(entry, encoder)
        cls.prepared(entry, options)
        folder = _folder(place, revision, encoder)
        if folder is None:
            if not trust_remote_code:
                raise ConfigError(
                    f"encoder {encoder} runs the code of {place}: look at it, and say trust_remote_code: true (and "
                    "revision: a commit), or name a folder that has it"
                )
            folder = _cached(place, revision)
        if folder is None:
            check_url(f"https://github.com/{place}/tree/{revision or 'HEAD'}", encoder=encoder)
        else:
            _check_entry(folder, name, encoder)

    @classmethod
    def revision_of(cls, entry: str) -> str:
        """Of a folder the hash of its files, with the entry point; else the name says it.

        Raises:
            ConfigError: there is no such folder, or it cannot be read.
        """
        encoder = cls.name_of(entry)
        place, name = _parts(entry, encoder)
        folder = _folder(place, None, encoder)
        return entry if folder is None else f"{folder_hash(str(folder), encoder=encoder)}:{name}"

    def torch_model(self, device: "torch.device") -> Callable[["torch.Tensor"], Any]:
        """What the entry point returns, ready to be asked."""
        import torch

        place, name = _parts(self._entry, self.encoder)
        folder = _folder(place, self._revision, self.encoder) or _cached(place, self._revision)
        load: Callable[..., Any] = torch.hub.load
        _forget_code()
        if folder is not None:
            model = load(str(folder), name, source="local", **self._arguments)
        else:
            where = f"{place}:{self._revision}" if self._revision else place
            with _one_at_a_time(Path(torch.hub.get_dir())):
                model = load(where, name, trust_repo=True, verbose=False, **self._arguments)
        _remember_code(folder or _cached(place, self._revision))
        if not isinstance(model, torch.nn.Module):
            raise ConfigError(
                f"encoder {self.encoder}: the entry point gives a {type(model).__name__}; it must be a torch module"
            )
        return model.eval().to(device)


def _parts(entry: str, encoder: str) -> tuple[str, str]:
    place, colon, name = entry.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise ConfigError(
            f"encoder {encoder} does not say which model: write torchhub:<owner/repository or folder>:<entry point>"
        )
    return place, name


def _folder(place: str, revision: str | None, encoder: str) -> Path | None:
    """The user's own folder; None: a repository of GitHub.

    Raises:
        ConfigError: it is neither, or there is none.
    """
    if place.startswith(("/", ".", "~")) or Path(place).is_dir():
        if revision is not None:
            raise ConfigError(f"encoder {encoder}: revision is {revision!r}; it is of repositories, and {place} is not")
        return model_folder(place, HUBCONF, encoder=encoder)
    if not _REPOSITORY.fullmatch(place):
        raise ConfigError(f"encoder {encoder}: {place!r} is no <owner>/<repository> (its branch or tag: revision)")
    if revision is not None and not _REVISION.fullmatch(revision):
        raise ConfigError(f"encoder {encoder}: revision is {revision!r}; it must be a branch, tag or commit")
    return None


def _cached(place: str, revision: str | None) -> Path | None:
    """Where torch.hub keeps a repository that this machine has."""
    import torch

    owner, _, repository = place.partition("/")
    for branch in [revision] if revision else ["main", "master"]:
        folder = Path(torch.hub.get_dir()) / f"{owner}_{repository}_{branch}"
        if (folder / HUBCONF).is_file():
            return folder
    return None


def _forget_code() -> None:
    """Of an earlier model's repository: another one has its own ``models`` or ``utils``, as the same one later may."""
    for name in _code:
        sys.modules.pop(name, None)
    _code.clear()


def _remember_code(folder: Path | None) -> None:
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    _code.update(name for name, file in files.items() if folder and file and Path(file).is_relative_to(folder))


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """The workers of a machine fetch a repository into one folder: one does, the others find it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".equipoise.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_entry(folder: Path, name: str, encoder: str) -> None:
    """Reads the code: what it defines, and which libraries it says it needs."""
    try:
        code = ast.parse((folder / HUBCONF).read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError) as error:
        raise ConfigError(f"encoder {encoder}: {folder / HUBCONF} is no Python: {error}") from error
    defined = _defined(code)
    if "*" not in defined and name not in defined:
        raise ConfigError(f"encoder {encoder}: {folder / HUBCONF} has no {name!r}; {nearest(name, sorted(defined))}")
    for library in _dependencies(defined):
        if find_spec(library) is None:
            raise ConfigError(
                f"encoder {encoder} needs the library {library}, which {folder / HUBCONF} names: install it"
            )


def _defined(code: ast.Module) -> Mapping[str, ast.AST]:
    """Names at the top of a module, with what defines each."""
    found: dict[str, ast.AST] = {}
    for node in ast.walk(code):  # also within ``if`` and ``try``
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name: node for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def _dependencies(defined: Mapping[str, ast.AST]) -> list[str]:
    listed = defined.get("dependencies")
    items = listed.elts if isinstance(listed, ast.List | ast.Tuple) else []
    return [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
