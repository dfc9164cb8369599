"""The device that models run on: which one, in what precision, and what it did meanwhile."""

import os
import resource
import time
from dataclasses import dataclass
from typing import Any

import torch

from mlm_assets.errors import Refused


@dataclass(frozen=True)
class Device:
    """A device with a precision: `float32` or `bf16` (matrix products in bfloat16, the rest in float32)."""

    name: str
    precision: str
    is_compiled: bool = False

    @property
    def torch(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.name)

    def autocast(self) -> Any:
        """Return the context in which forward passes run."""
        return torch.autocast(self.torch.type, torch.bfloat16, enabled=self.precision == "bf16")


def choose_device(name: str = "auto", precision: str = "auto", *, is_compiled: bool = False) -> Device:
    """Return the device of this name; `auto` is the first GPU, or the processor where there is none.

    Raises:
        Refused: there is no such device, or it cannot compute in this precision.
    """
    if precision not in ("auto", "float32", "bf16"):
        raise Refused(f"The precision {precision!r} is not known; take auto, float32 or bf16 (MLM_PRECISION).")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise Refused(f"{name!r} is no device; take auto, cpu, cuda or cuda:N (MLM_DEVICE).") from error
    if device.type not in ("cpu", "cuda"):
        raise Refused(f"{name!r} is no device that models are trained on; take auto, cpu, cuda or cuda:N (MLM_DEVICE).")
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise Refused(f"There is no device {name}: torch sees {n_gpus} GPU(s) here. Set MLM_DEVICE to auto or cpu.")
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if precision == "auto":
        precision = "bf16" if has_bf16 else "float32"
    elif precision == "bf16" and device.type == "cuda" and not has_bf16:
        raise Refused(f"{name} cannot compute in bf16. Set MLM_PRECISION to auto or float32.")
    return Device(name, precision, is_compiled)


class Usage:
    """What the device was used for since this was made: time, memory, utilisation."""

    def __init__(self, device: Device) -> None:
        """Start to watch."""
        self._device, self._began, self._cpu_began = device, time.monotonic(), time.process_time()
        self._looks: list[float] = []
        if device.torch.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device.torch)

    def look(self) -> None:
        """Take note of how busy a GPU is now; called while it works, after each epoch say."""
        if self._device.torch.type == "cuda" and (said := _gpu_utilisation(self._device.torch)) is not None:
            self._looks.append(said)

    def figures(self) -> dict[str, Any]:
        """Return device, precision, peak memory in bytes, and utilisation in percent where it can be known."""
        duration_s = max(time.monotonic() - self._began, 1e-9)
        said: dict[str, Any] = {"device": self._device.name, "precision": self._device.precision}
        if self._device.torch.type == "cuda":
            said["device_name"] = torch.cuda.get_device_name(self._device.torch)
            said["peak_memory_bytes"] = torch.cuda.max_memory_allocated(self._device.torch)
            said["utilisation_percent"] = round(sum(self._looks) / len(self._looks), 1) if self._looks else None
        else:
            share = (time.process_time() - self._cpu_began) / duration_s / (os.cpu_count() or 1)
            said["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            said["utilisation_percent"] = round(100 * share, 1)
        return said


def _gpu_utilisation(device: torch.device) -> float | None:
    """Return what the driver says of the last second, None where its library is not installed."""
    try:
        return float(torch.cuda.utilization(device))
    except Exception:  # the driver's library has errors of its own (a slice of a card has no utilisation)
        return None
