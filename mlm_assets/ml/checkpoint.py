"""Weights on disk: safetensors, written whole or not at all, and read without running anything in them.

Two kinds of files: the finished model (weights, with what is needed to build it in the header), and the working state
of a training (weights, optimiser, best weights so far), which a killed training goes on from.
"""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mlm_assets.errors import Refused

_ABOUT: Final = "about"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-ready description to a safetensors file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}-{uuid.uuid4().hex}")
    # Cloned: tensors that share memory (a scalar viewed twice, a tied weight) are refused by safetensors.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(plain, temporary, metadata={_ABOUT: json.dumps(about)})
        # safetensors makes files that only their owner reads; models are for others too.
        temporary.chmod(0o644)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a checkpoint and its description (empty for one that is not safetensors).

    A checkpoint of torch is read with `weights_only=True`, which builds tensors and nothing else.

    Raises:
        Refused: there is no such file, or it is no checkpoint: damaged, or a pickle of anything but tensors.
    """
    if not path.is_file():
        raise Refused(f"There is no checkpoint {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118  (no mapping)
    except (SafetensorError, ValueError):
        return _from_torch(path), {}


def _from_torch(path: Path) -> dict[str, Tensor]:
    try:
        # As an open file: torch would go by the ending of a name, and read `.safetensors` in another way.
        with path.open("rb") as file:
            said = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can end in any error there is
        raise Refused(
            f"{path} is no checkpoint of tensors: neither safetensors nor weights that torch reads safely. "
            "Nothing in it was run. Save the weights as safetensors."
        ) from error
    if isinstance(said, dict) and isinstance(said.get("state_dict"), dict):
        said = said["state_dict"]
    if not isinstance(said, dict) or not all(isinstance(value, Tensor) for value in said.values()):
        raise Refused(f"{path} holds something else than named tensors. Save the weights as safetensors.")
    return {str(name): tensor for name, tensor in said.items()}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser as named tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": torch.as_tensor(value) for number, values in state.items() for name, value in values.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser the state that `optimiser_tensors` returned."""
    said = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({**said, "state": state})


def named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with `prefix/` before their names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix/`, without it."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
