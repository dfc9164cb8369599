"""Files of weights: whole or not there, nothing in them is run, and what is no checkpoint is refused."""

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from mlm_assets.errors import Refused
from mlm_assets.ml.checkpoint import (
    below,
    load_tensors,
    named,
    optimiser_tensors,
    restore_optimiser,
    save_tensors,
)
from mlm_assets.ml.inference import load_trained
from mlm_assets.ml.model import Irle
from tests.unit.ml.trainings import small

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")
NO_CHECKPOINT = (
    "is no checkpoint of tensors: neither safetensors nor weights that torch reads safely. Nothing in it was run"
)
TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3, dtype=torch.int64), "c": torch.zeros(0, 4)}


class Payload:
    """A pickle of this makes a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_tensors_come_back_with_what_was_said_of_them(tmp_path: Path) -> None:
    path, about = tmp_path / "new" / "model.safetensors", {"task": "mtl", "history": [{"score": 0.5, "name": "é"}]}
    save_tensors(path, TENSORS, about)
    found, said = load_tensors(path)
    assert said == about and found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_tensors_that_share_memory_are_written(tmp_path: Path) -> None:
    one = torch.arange(4.0)
    save_tensors(tmp_path / "shared", {"all": one, "same": one, "part": one[1:], "turned": one.reshape(2, 2).T}, {})
    found, _ = load_tensors(tmp_path / "shared")
    assert found["turned"].tolist() == [[0, 2], [1, 3]] and found["part"].tolist() == [1, 2, 3]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_tensors(path, TENSORS, {"epoch": 1})
    with pytest.raises(TypeError):
        save_tensors(path, TENSORS, {"epoch": object()})
    assert load_tensors(path)[1] == {"epoch": 1}
    folder = tmp_path / "model.safetensors.d"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        save_tensors(folder, TENSORS, {})
    folder.rmdir()
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def pickled(payload: Any) -> bytes:
    return pickle.dumps(payload)


def saved_by_torch(payload: Any, *, as_zip: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(payload, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["pickle", "torch", "legacy torch"])
def test_a_payload_in_a_pickle_is_not_run(tmp_path: Path, kind: str) -> None:
    mark, path = tmp_path / "was-here", tmp_path / "model.safetensors"
    payload = {"weight": torch.zeros(2), "more": Payload(mark)}
    path.write_bytes(pickled(payload) if kind == "pickle" else saved_by_torch(payload, as_zip=kind == "torch"))
    with pytest.raises(Refused) as refused:
        load_tensors(path)
    assert NO_CHECKPOINT in str(refused.value) and str(path) in str(refused.value)
    assert not mark.exists()
    # The payload is a real one: who unpickles it makes the folder.
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.999])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, share: float) -> None:
    whole = tmp_path / "whole"
    save_tensors(whole, {"weight": torch.zeros(100, 10)}, {})
    for content in (whole.read_bytes(), saved_by_torch({"weight": torch.zeros(100, 10)})):
        (tmp_path / "cut").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(Refused) as refused:
            load_tensors(tmp_path / "cut")
        assert NO_CHECKPOINT in str(refused.value)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04", b"\x08\0\0\0\0\0\0\0{}      ", b"\x80\x04\x95"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_other_bytes_are_refused(tmp_path: Path, content: bytes, start: bytes) -> None:
    path = tmp_path / "noise"
    path.write_bytes(start + content)
    try:
        tensors, _ = load_tensors(path)
    except Refused:
        return
    assert tensors == {}, "an empty list of tensors is one"


@pytest.mark.parametrize("payload", [[torch.zeros(2)], torch.zeros(2), {"a": torch.zeros(2), "epoch": 3}, 5, None])
def test_a_checkpoint_of_something_else_than_named_tensors_is_refused(tmp_path: Path, payload: Any) -> None:
    torch.save(payload, tmp_path / "other.pt")
    with pytest.raises(
        Refused, match=r"other\.pt holds something else than named tensors\. Save the weights as safetensors"
    ):
        load_tensors(tmp_path / "other.pt")


@pytest.mark.parametrize("name", ["weights.pth", "model.safetensors"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_state_dict_of_torch_is_read_whatever_its_name(tmp_path: Path, name: str, wrapped: bool) -> None:
    state = nn.Linear(3, 2).state_dict()
    torch.save({"state_dict": state, "epoch": 7} if wrapped else state, tmp_path / name)
    found, about = load_tensors(tmp_path / name)
    assert about == {} and found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_a_checkpoint_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(Refused) as refused:
            load_tensors(path)
        assert str(refused.value) == f"There is no checkpoint {path}."


def test_weights_of_somebody_else_are_not_a_model_of_ours(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "a.safetensors", metadata={"format": "pt"})
    torch.save({"weight": torch.zeros(2)}, tmp_path / "b.pt")
    save_tensors(tmp_path / "c.safetensors", {"weight": torch.zeros(2)}, {"recipe": {}, "task": "ir"})
    for name in ("a.safetensors", "b.pt", "c.safetensors"):
        with pytest.raises(Refused) as refused:
            load_trained(tmp_path / name)
        assert f"{name} says nothing of the model that it belongs to; it was not written by `mlm train`." in str(
            refused.value
        )


def described(**more: Any) -> dict[str, Any]:
    shape = {"image_dimension": 4, "text_dimension": 3, "class_dimension": 3, "n_cells": 2}
    return {"recipe": small("demo").model_dump(mode="json"), "task": "mtl", "shape": shape, **more}


def test_weights_that_are_not_those_of_the_description_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for about in (described(), described(task="mtl", shape={**described()["shape"], "n_cells": 3})):
        model = Irle(small("demo"), "ir" if about == described() else "mtl", **described()["shape"])
        save_tensors(path, model.state_dict(), about)
        with pytest.raises(Refused, match="does not hold the weights that its own description asks for"):
            load_trained(path)
    broken = {**described()["recipe"], "model": {"embedding": 0}}
    save_tensors(path, {}, described(recipe=broken))
    with pytest.raises(Refused, match=r"model\.safetensors is not acceptable at model\.embedding"):
        load_trained(path)


def test_a_header_that_is_no_json_is_refused(tmp_path: Path) -> None:
    for about in ("{", json.dumps([1, 2])):
        save_file({"weight": torch.zeros(2)}, tmp_path / "odd", metadata={"about": about})
        with pytest.raises(Refused):
            load_trained(tmp_path / "odd")


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_an_optimiser_goes_on_as_if_nothing_had_happened(tmp_path: Path, kind: Any) -> None:
    def steps(module: nn.Module, optimiser: torch.optim.Optimizer, seeds: range) -> None:
        for seed in seeds:
            optimiser.zero_grad()
            module(torch.randn(8, 5, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
            optimiser.step()

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(1)
        module = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 1))
        return module, kind([{"params": list(module.parameters())}], lr=0.01, weight_decay=0.1)

    undisturbed, optimiser = fresh()
    steps(undisturbed, optimiser, range(6))
    first, optimiser = fresh()
    steps(first, optimiser, range(3))
    save_tensors(tmp_path / "work", {**named("p", first.state_dict()), **named("o", optimiser_tensors(optimiser))}, {})
    second, optimiser = fresh()
    tensors, _ = load_tensors(tmp_path / "work")
    second.load_state_dict(below("p", tensors))
    restore_optimiser(optimiser, below("o", tensors))
    steps(second, optimiser, range(3, 6))
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])


def test_names_below_a_prefix() -> None:
    one, two = torch.zeros(1), torch.ones(1)
    together = {**named("a", {"x": one, "a/x": two}), **named("ab", {"x": two})}
    assert below("a", together) == {"x": one, "a/x": two}
    assert below("none", together) == {}
