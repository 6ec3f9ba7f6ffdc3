"""A bundle is what was written, to the last word of its description, or it is refused; a bad moment costs nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyfai_grf.core.errors import BundleError, InputError
from pyfai_grf.learn import bundle_files
from pyfai_grf.learn.bundle import Model, load_model, save_model
from pyfai_grf.learn.bundle_files import (
    check_description,
    check_target,
    find_bundled,
    read_description,
    seal_description,
)


def change(folder: Path, edit: Callable[[dict[str, Any]], object], is_sealed: bool = False) -> None:
    """Edit the description of a bundle; ``is_sealed`` with its hash made to match, as whoever knows how would."""
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    edit(content)
    if is_sealed:
        content = seal_description({k: v for k, v in content.items() if k != "description_sha256"}, content["sha256"])
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")


def test_layout_does_not_matter(bundle_folder: Path) -> None:
    digest = load_model(bundle_folder).sha256
    change(bundle_folder, lambda content: content.update(reversed(content.copy().items())))
    assert load_model(bundle_folder).sha256 == digest


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.update(length_scale=2.0),
        lambda content: content["errors"]["a"].update(mse=0.0),
        lambda content: content["features"]["q_nm1"].__setitem__(3, 0.1),
        lambda content: content["regressors"]["a"]["smooth"].update(high=9.0),
        lambda content: content["sha256"].update({"a.ubj": "0" * 64}),
        lambda content: content.pop("misfit_limit"),
        lambda content: content.pop("description_sha256"),
        lambda content: content.update(description_sha256=None),
    ],
)
def test_a_description_that_was_changed_is_refused(bundle_folder: Path, edit: Callable[[Any], object]) -> None:
    change(bundle_folder, edit)
    with pytest.raises(BundleError, match=r"model\.json does not match its hash"):
        load_model(bundle_folder)


@pytest.mark.parametrize("name", ["porosity-spread.ubj", "arrays.npz"])
def test_every_file_that_is_loaded_is_listed(bundle_folder: Path, name: str) -> None:
    change(bundle_folder, lambda content: content["sha256"].pop(name), is_sealed=True)
    with pytest.raises(BundleError, match=f"lists other files than its model has \\({name}\\)"):
        load_model(bundle_folder)


@pytest.mark.parametrize("name", ["../secret.ubj", "/etc/hostname", "more.ubj"])
def test_nothing_else_is_read(bundle_folder: Path, name: str) -> None:
    change(bundle_folder, lambda content: content["sha256"].update({name: "0" * 64}), is_sealed=True)
    with pytest.raises(BundleError, match="lists other files"):
        load_model(bundle_folder)


def test_parameters_are_those_of_the_material(bundle_folder: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        content["regressors"]["../a"] = content["regressors"].pop("a")

    change(bundle_folder, rename, is_sealed=True)
    with pytest.raises(BundleError, match="damaged"):
        load_model(bundle_folder)


def test_every_file_is_read_once(bundle_folder: Path) -> None:
    """Otherwise one could be exchanged between the check and the use."""
    code = """
        import sys
        from pyfai_grf.learn.bundle import load_model
        opened = []
        sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
        load_model(sys.argv[1])
        print(*(name for name in map(str, opened) if name.startswith(sys.argv[1])), sep="\\n")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(bundle_folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == sorted(str(path) for path in bundle_folder.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="no pipes there")
@pytest.mark.parametrize("name", ["a.ubj", "model.json"])
def test_a_pipe_does_not_hold_it_up(bundle_folder: Path, name: str) -> None:
    (bundle_folder / name).unlink()
    os.mkfifo(bundle_folder / name)
    with pytest.raises(BundleError):
        load_model(bundle_folder)


@pytest.mark.parametrize("text", ["[]", "null", "3", '"x"', "[" * 100_000, '{"format": {}}'])
def test_json_of_another_kind(bundle_folder: Path, text: str) -> None:
    (bundle_folder / "model.json").write_text(text)
    with pytest.raises(BundleError) as caught:
        load_model(bundle_folder)
    assert "\n" not in str(caught.value)


# --- the bundled ones -----------------------------------------------------------------------------------------------


def test_digests_of_the_bundled_models_are_up_to_date() -> None:
    """If a model has changed on purpose, ``write_digests`` (its docstring says how) brings the list up to date."""
    bundled = find_bundled()
    root = next(iter(bundled.values())).parent
    digests = json.loads((root / "digests.json").read_text())
    assert digests == {name: check_description(path, read_description(path)) for name, path in bundled.items()}
    assert {name: load_model(name).sha256 for name in bundled} == digests


def test_a_bundled_model_must_be_on_the_list(
    model: Model, bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is whole in itself but was put in the place of a bundled one is refused under that name."""
    monkeypatch.setattr(bundle_files, "_find_root", lambda: tmp_path)
    bundle_files.write_digests()
    assert load_model("bundle").sha256 == load_model(bundle_folder).sha256
    change(bundle_folder, lambda content: content.update(length_scale=2.0), is_sealed=True)
    assert load_model(bundle_folder).description.length_scale == 2.0  # by its path it is somebody's own
    with pytest.raises(BundleError, match="the bundled model bundle is not the one of this version"):
        load_model("bundle")


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_bundle_is_replaced_whole(model: Model, bundle_folder: Path) -> None:
    (bundle_folder / "layer_fraction.ubj").write_bytes(b"of an earlier model")
    digest = save_model(model, bundle_folder).sha256
    assert load_model(bundle_folder).sha256 == digest
    assert not (bundle_folder / "layer_fraction.ubj").exists()
    assert [path.name for path in bundle_folder.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("name", ["notes.txt", "data/"])
def test_files_of_somebody_else_are_not_lost(model: Model, bundle_folder: Path, name: str) -> None:
    if name.endswith("/"):
        (bundle_folder / name).mkdir()
    else:
        (bundle_folder / name).write_text("mine")
    for attempt in (lambda: save_model(model, bundle_folder), lambda: check_target(bundle_folder, overwrite=True)):
        with pytest.raises(InputError, match=f"holds {name.strip('/')}, which is not of a model bundle"):
            attempt()
    assert (bundle_folder / name).exists()
    load_model(bundle_folder)


def test_a_full_disk_leaves_the_old_bundle(model: Model, small_disk: Path) -> None:
    target = small_disk / "bundle"
    digest = save_model(model, target).sha256
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 30_000))
    with pytest.raises(InputError, match=r"cannot write .*bundle: No space left on device"):
        save_model(model, target)
    assert load_model(target).sha256 == digest
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "bundle"]


@pytest.mark.kills
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts system calls as Linux does")
def test_a_kill_at_any_step_leaves_a_whole_bundle(bundle_folder: Path) -> None:
    """The process dies before the n-th step on the disk, for every n: what is found is the old bundle or the new."""
    code = """
        import os, signal, sys
        from dataclasses import replace
        from pyfai_grf.learn.bundle import load_model, save_model
        model = load_model(sys.argv[1])
        changed = replace(model, description=replace(model.description, length_scale=2.0))
        left, ready = [int(sys.argv[2])], True
        def count(event, arguments):
            if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "ctypes.dlopen"):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        save_model(changed, sys.argv[1])
        print("done")
    """
    found = set()
    for step in (1, 2, 4, 8, 10, 12, 14, 16, 18, 20, 22, 24, 1000):
        command = [sys.executable, "-c", textwrap.dedent(code), str(bundle_folder), str(step)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found.add(load_model(bundle_folder).description.length_scale)
    assert done.stdout == "done\n", done.stderr
    assert found == {1.0, 2.0}
    assert [path.name for path in bundle_folder.parent.iterdir()] == ["bundle"]
