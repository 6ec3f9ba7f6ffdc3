"""The files of a bundle: each is read once, and used only if it is what the description says; that is hashed too."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pyfai_grf.core.atomic import replace_folder, write_text
from pyfai_grf.core.errors import BundleError, InputError
from pyfai_grf.core.files import check_regular_file

DESCRIPTION, ARRAYS = "model.json", "arrays.npz"
#: the hashes of the bundled models, by name, beside them
_DIGESTS = "digests.json"
#: what the description says of the files, and of itself
_FILES_KEY, _OWN_KEY = "sha256", "description_sha256"
#: the bundled model whose files it shares
_SHARED_KEY = "shares_files_of"


def check_target(path: Path, overwrite: bool) -> None:
    """Return silently if a bundle can be written to ``path``.

    Raises
    ------
    InputError
        If there is something that is not a bundle, a bundle (unless ``overwrite``), or a bundle with files of somebody
        else in it, which would be lost.
    """
    if not path.exists():
        return
    if not (path / DESCRIPTION).is_file():
        raise InputError(f"{path} exists and is not a model bundle: choose another folder")
    if not overwrite:
        raise InputError(f"the bundle {path} exists already: choose another folder", "overwrite")
    for entry in sorted(path.iterdir()):
        if entry.is_dir() or not (entry.name in (DESCRIPTION, ARRAYS) or entry.suffix == ".ubj"):
            raise InputError(f"{path} holds {entry.name}, which is not of a model bundle: move it, or choose another")


def write_files(path: Path, description: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """Write a whole bundle at one stroke and return its digest; raises InputError if it cannot be written."""
    sealed = seal_description(description, {name: _hash(content) for name, content in files.items()})
    with replace_folder(path) as draft:
        for name, content in files.items():
            (draft / name).write_bytes(content)
        (draft / DESCRIPTION).write_text(_format(sealed), encoding="utf-8")
    return str(sealed[_OWN_KEY])


def seal_description(description: Mapping[str, Any], hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return ``description`` with the hashes of the files (by name), and with its own."""
    sealed = {**description, _FILES_KEY: dict(hashes)}
    return {**sealed, _OWN_KEY: _hash_description(sealed)}


def read_description(path: Path) -> dict[str, Any]:
    """Return what the description of a bundle holds, unchecked; raises ValueError or OSError if it cannot be read."""
    check_regular_file(path / DESCRIPTION)
    sealed = json.loads((path / DESCRIPTION).read_bytes())
    if not isinstance(sealed, dict):
        raise ValueError(f"{DESCRIPTION} is not a JSON object")
    return sealed


def check_description(path: Path, sealed: Mapping[str, Any]) -> str:
    """Return the digest of a bundle; raises BundleError if the description is not what was written."""
    digest = sealed.get(_OWN_KEY)
    if digest != _hash_description(sealed):
        raise BundleError(f"{path / DESCRIPTION} does not match its hash: it was changed by hand, install it again")
    return str(digest)


def read_files(path: Path, sealed: Mapping[str, Any], names: Collection[str]) -> dict[str, bytes]:
    """Return the content of the files ``names``, which are all that the description may list, each read once.

    A bundled model may share the files of another one, which its description names: the two-phase classes on both sides
    of porosity 0.5 differ in nothing else.

    Raises
    ------
    BundleError
        If it lists others, or the content does not match.
    OSError
        If one is not there.
    """
    hashes = sealed[_FILES_KEY]
    if set(hashes) != set(names):
        odd = ", ".join(sorted(set(hashes) ^ set(names)))
        raise BundleError(f"{path / DESCRIPTION} lists other files than its model has ({odd}): install it again")
    folder = _find_folder(path, sealed)
    content = {}
    for name in names:
        check_regular_file(folder / name)
        content[name] = (folder / name).read_bytes()
        if _hash(content[name]) != hashes[name]:
            raise BundleError(f"{folder / name} does not match its hash: the bundle is damaged, install it again")
    return content


def _find_folder(path: Path, sealed: Mapping[str, Any]) -> Path:
    """Return where the files of a bundle are: beside its description, or with the bundled model that it names."""
    shared = sealed.get(_SHARED_KEY)
    if shared is None:
        return path
    bundled = find_bundled()
    if path.resolve().parent != _find_root().resolve() or shared not in bundled:
        raise BundleError(f"{path / DESCRIPTION} names the files of {shared!r}: only bundled models share theirs")
    return bundled[shared]


def find_bundled() -> dict[str, Path]:
    """Return name -> folder of the bundles that are installed with the package."""
    return {path.parent.name: path.parent for path in sorted(_find_root().glob(f"*/{DESCRIPTION}"))}


def check_bundled(name: str, digest: str) -> None:
    """Raise BundleError if the bundled model ``name`` is not the one that the package was made with."""
    expected = json.loads((_find_root() / _DIGESTS).read_text(encoding="utf-8")).get(name)
    if digest != expected:
        raise BundleError(f"the bundled model {name} is not the one of this version: install pyfai-grf again")


def write_digests() -> None:
    """Write down the digests of the bundled models, once they have changed on purpose, in the checkout.

    ``python -c "from pyfai_grf.learn.bundle_files import write_digests; write_digests()"``
    """
    digests = {name: check_description(path, read_description(path)) for name, path in find_bundled().items()}
    write_text(_find_root() / _DIGESTS, json.dumps(digests, indent=1) + "\n")


def _find_root() -> Path:
    return Path(str(importlib.resources.files("pyfai_grf_models")))


def _hash_description(sealed: Mapping[str, Any]) -> str:
    """Return the hash of all but the hash itself, however it is laid out."""
    text = json.dumps({k: v for k, v in sealed.items() if k != _OWN_KEY}, sort_keys=True, separators=(",", ":"))
    return _hash(text.encode("ascii"))


def _format(sealed: Mapping[str, Any]) -> str:
    return json.dumps(sealed, indent=1, ensure_ascii=False)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
