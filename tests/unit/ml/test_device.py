"""Which device is chosen, what is refused, and what is said of its use."""

import dataclasses

import numpy as np
import pytest
import torch

from mlm_assets.errors import Refused
from mlm_assets.ml.device import Device, Usage, choose_device
from mlm_assets.ml.training import Plan, train
from tests.unit.ml.trainings import Reports, small, world

pytestmark = pytest.mark.usefixtures("one_thread")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@without_gpu
def test_auto_is_the_processor_where_there_is_no_gpu() -> None:
    assert choose_device() == Device("cpu", "float32")
    assert choose_device("auto", "bf16", is_compiled=True) == Device("cpu", "bf16", is_compiled=True)


def test_the_processor_computes_in_either_precision() -> None:
    assert choose_device("cpu").precision == "float32"
    assert choose_device("cpu", "float32").precision == "float32"
    assert choose_device("cpu", "bf16").precision == "bf16"


@without_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_gpu_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        choose_device(name)
    assert str(refused.value) == f"There is no device {name}: torch sees 0 GPU(s) here. Set MLM_DEVICE to auto or cpu."


def test_a_gpu_beyond_the_last_is_refused() -> None:
    beyond = f"cuda:{torch.cuda.device_count() + 7}"
    with pytest.raises(Refused, match=rf"There is no device {beyond}: torch sees \d+ GPU"):
        choose_device(beyond)


@pytest.mark.parametrize("name", ["quantum", "", "cuda:x", "cpu:-3", "GPU"])
def test_a_name_that_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        choose_device(name)
    assert str(refused.value) == f"{name!r} is no device; take auto, cpu, cuda or cuda:N (MLM_DEVICE)."


@pytest.mark.parametrize("name", ["meta", "xpu", "mps"])
def test_a_device_that_models_are_not_trained_on_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=f"'{name}' is no device that models are trained on; take auto, cpu, cuda"):
        choose_device(name)


@pytest.mark.parametrize("precision", ["float16", "fp32", ""])
def test_a_precision_that_is_not_known_is_refused(precision: str) -> None:
    with pytest.raises(Refused) as refused:
        choose_device("cpu", precision)
    assert f"The precision {precision!r} is not known; take auto, float32 or bf16 (MLM_PRECISION)." == str(
        refused.value
    )


def test_autocast_is_on_for_bf16_alone() -> None:
    one = torch.ones(2, 2)
    for precision, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        with Device("cpu", precision).autocast():
            assert (one @ one).dtype == dtype


def test_a_training_in_bf16_stays_close_to_one_in_float32() -> None:
    # An embedding of the paper's size: the fewer the dimensions, the more one rounding weighs.
    recipe = small("modern", model={"embedding": 128, "dropout": 0.0})
    losses = []
    for precision in ("float32", "bf16"):
        reports = Reports()
        trained = train(Plan(world(), recipe, "mtl", Device("cpu", precision)), reports)
        losses.append([epoch.figures["loss"] for epoch in reports.epochs])
        assert {parameter.dtype for parameter in trained.model.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.1)


def test_usage_says_what_the_device_did() -> None:
    usage = Usage(Device("cpu", "bf16"))
    began = usage._began
    while torch.ones(200, 200).matmul(torch.ones(200, 200)).sum() and usage.figures()["utilisation_percent"] == 0:
        pass
    figures = usage.figures()
    assert (figures["device"], figures["precision"]) == ("cpu", "bf16")
    assert figures["peak_memory_bytes"] > 50 * 2**20
    assert 0 < figures["utilisation_percent"] <= 100.5
    assert usage._began == began


def test_a_device_is_a_value() -> None:
    device = Device("cpu", "float32")
    assert device.torch == torch.device("cpu")
    with pytest.raises(dataclasses.FrozenInstanceError):
        device.name = "cuda"  # type: ignore[misc]
