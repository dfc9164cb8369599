"""What an encoder needs of the machine: packages, a device, a precision. Each lack is a sentence for the user.

Choosing a device does not belong here (`ml.device`): an encoder is told which one.
"""

from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any, Final

from mlm_assets.errors import Refused

PRECISIONS: Final = ("float32", "bf16")


def need_package(module: str, package: str, encoder: str, how: str = "") -> None:
    """Check that a module can be found, without importing it.

    Raises:
        Refused: it cannot; the message names the package to install.
    """
    if find_spec(module) is None:
        raise Refused(f"The encoder {encoder} needs the package {package}: pip install {how or package}.")


def need_torch(encoder: str) -> None:
    """Check that PyTorch can be found.

    Raises:
        Refused: it cannot.
    """
    need_package("torch", "torch", encoder, "'mlm-assets[gpu]' (or a CPU build of torch)")


def check_running(device: str, precision: str, batch: int) -> None:
    """Check that the device is there and that precision and batch size are possible.

    Raises:
        Refused: one of them is not.
    """
    if precision not in PRECISIONS:
        raise Refused(f"Precision {precision!r} is not known to encoders; choose {' or '.join(PRECISIONS)}.")
    if batch < 1:
        raise Refused(f"An encoder takes one input at once or more, not {batch}.")
    if device == "cpu":
        return
    need_torch(f"on {device!r}")
    import torch

    try:
        # The value must come back: the `meta` device makes a tensor, but there is nothing in it.
        torch.ones(1, device=torch.device(device)).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise Refused(
            f"The device {device!r} cannot be used here ({reason}); choose cpu, or cuda:N that exists."
        ) from error


def running(device: str, precision: str) -> AbstractContextManager[Any]:
    """Return the context in which a network runs: no gradients; in bf16 through autocast, where that was asked for."""
    from contextlib import ExitStack

    import torch

    stack = ExitStack()
    stack.enter_context(torch.inference_mode())
    if precision == "bf16":
        stack.enter_context(torch.autocast(torch.device(device).type, dtype=torch.bfloat16))
    return stack
