"""One training in several processes, one per GPU (or processor): DistributedDataParallel, started by torchrun.

Each process sees its part of every batch; outputs are gathered before the loss, so that in-batch negatives are those
of the whole batch and the result is that of one process, up to the order of sums. This module is also the program that
torchrun starts: it reads a job, trains, and the first process writes the model.
"""

import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_gather

from mlm_assets.errors import MlmError, Refused
from mlm_assets.ml.checkpoint import save_tensors
from mlm_assets.ml.device import choose_device
from mlm_assets.ml.inference import Trained, load_trained
from mlm_assets.ml.losses import Targets
from mlm_assets.ml.material import open_material
from mlm_assets.ml.model import Outputs
from mlm_assets.ml.recipe import Task, parse_recipe
from mlm_assets.ml.training import Epoch, Plan, train

_EPOCH: Final = "epoch "
_REFUSED: Final = "refused "
MODEL_FILE: Final = "model.safetensors"


@dataclass(frozen=True)
class Job:
    """A training as a file says it: paths, recipe, task, and how many processes share it."""

    material: str
    recipe: dict[str, Any]
    task: Task
    seed: int
    device: str
    precision: str
    folder: str
    is_compiled: bool = False


def save_trained(trained: Trained, path: Path) -> None:
    """Write a finished model, whole or not at all."""
    save_tensors(path, trained.model.state_dict(), trained.about)


def train_in_processes(job: Job, processes: int, report: Callable[[Epoch], Any], say: Callable[[str], Any]) -> Trained:
    """Train in several processes through torchrun, report epochs as they come, and return the model.

    Raises:
        Refused: there are fewer GPUs than processes, or a process refused; the sentence is its own.
        MlmError: a process failed; the sentence has its last lines.
    """
    on_gpus = torch.device(choose_device(job.device).name).type == "cuda"
    if on_gpus and torch.cuda.device_count() < processes:
        raise Refused(f"There are {torch.cuda.device_count()} GPUs for {processes} processes (MLM_TRAINING_PROCESSES).")
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(dataclasses.asdict(job)), "utf-8")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
        "-m", "mlm_assets.ml.distributed", str(folder / "job.json"),
    ]  # fmt: skip
    last: list[str] = []
    refusals: list[str] = []
    with subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        try:
            for line in started.stdout or ():
                if line.startswith(_EPOCH):
                    report(Epoch(**json.loads(line.removeprefix(_EPOCH))))
                elif line.startswith(_REFUSED):
                    refusals.append(line.removeprefix(_REFUSED).rstrip())
                else:
                    last = [*last[-30:], line.rstrip()]
                    say(line.rstrip())
        except BaseException:  # whoever stops us stops the processes too; leaving the block waits for them
            started.terminate()
            raise
    if refusals:
        raise Refused(refusals[0])
    if started.returncode:
        raise MlmError("A process of the training failed: " + " / ".join(last[-8:]))
    return load_trained(folder / MODEL_FILE)


def gather_outputs(outputs: Outputs, targets: Targets) -> tuple[Outputs, Targets]:
    """Return outputs and targets of all processes together; gradients flow back to the process they came from."""
    sizes = _sizes(len(targets.pairs)), _sizes(len(targets.owners))
    starts = [sum(sizes[0][:rank]) for rank in range(len(sizes[0]))]
    owners = targets.owners + starts[distributed.get_rank()]

    def images(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else _joined(tensor, sizes[0])

    def texts(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else _joined(tensor, sizes[1])

    together = Outputs(
        images(outputs.image_vectors), texts(outputs.text_vectors),
        images(outputs.image_logits), texts(outputs.text_logits),
    )  # fmt: skip
    right = {
        **{name: images(getattr(targets, name)) for name in ("pairs", "image_cells", "image_points")},
        **{name: texts(getattr(targets, name)) for name in ("text_cells", "text_points")},
        "owners": texts(owners),
    }
    return together, Targets(**cast(dict[str, Tensor], right))


def _sizes(n: int) -> list[int]:
    said: list[int | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(said, n)
    return [int(one or 0) for one in said]


def _joined(tensor: Tensor, sizes: list[int]) -> Tensor:
    """Return the rows of all processes; parts are padded to one length for the exchange and cut again."""
    longest = max(sizes)
    padded = torch.cat([tensor, tensor.new_zeros(longest - len(tensor), *tensor.shape[1:])])
    parts = (
        _gather_with_gradients(padded) if tensor.is_floating_point() and tensor.requires_grad else _plain_gather(padded)
    )
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def _gather_with_gradients(tensor: Tensor) -> list[Tensor]:
    return list(all_gather(tensor))  # type: ignore[no-untyped-call]


def _plain_gather(tensor: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(tensor) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return parts


def main(path: Path) -> None:
    """Do one process's part of a job; torchrun has set rank and world in the environment."""
    job = Job(**json.loads(path.read_text("utf-8")))
    device = choose_device(job.device, job.precision, is_compiled=job.is_compiled)
    on_gpu = device.torch.type == "cuda"
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    rank, world = distributed.get_rank(), distributed.get_world_size()
    if on_gpu:
        device = dataclasses.replace(device, name=f"cuda:{rank % torch.cuda.device_count()}")
        torch.cuda.set_device(device.torch)

    def wrap(module: nn.Module) -> nn.Module:
        return nn.parallel.DistributedDataParallel(module, device_ids=[device.torch] if on_gpu else None)

    plan = Plan(
        open_material(Path(job.material)), parse_recipe(job.recipe, str(path)), job.task, device, job.seed,
        folder=Path(job.folder), rank=rank, world=world, gather=gather_outputs, wrap=wrap, agree=_of_first,
        say=_say if rank == 0 else lambda text: None,
    )  # fmt: skip
    try:
        trained = train(plan, _tell if rank == 0 else lambda epoch: None)
        if rank == 0:
            save_trained(trained, Path(job.folder) / MODEL_FILE)
        distributed.barrier()
    finally:
        with contextlib.suppress(RuntimeError):
            distributed.destroy_process_group()


def _of_first(figures: dict[str, float | None]) -> dict[str, float | None]:
    """Return the figures of the first process: sums on a GPU differ in their last digit from process to process."""
    said: list[Any] = [figures]
    distributed.broadcast_object_list(said)
    first: dict[str, float | None] = said[0]
    return first


def _tell(epoch: Epoch) -> None:
    _say(_EPOCH + json.dumps(dataclasses.asdict(epoch)))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Refused as error:
        _say(_REFUSED + str(error))
        sys.exit(error.exit_code)
