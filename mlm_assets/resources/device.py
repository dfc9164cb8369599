"""The device that models are trained on, as Dagster hands it to assets: from the settings of the home.

What a device is, and what it does, is said by `ml.device`; that only one training runs at a time is the business of
the pool `gpu` (`automation.instance`).
"""

from typing import TYPE_CHECKING

import dagster as dg

from mlm_assets.resources.services import LakeResource

if TYPE_CHECKING:
    from mlm_assets.ml.device import Device


class DeviceResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Device, precision and number of processes of trainings; each may be given here, else the settings decide."""

    lake: dg.ResourceDependency[LakeResource]
    device: str | None = None
    precision: str | None = None
    processes: int | None = None

    def open(self) -> "Device":
        """Return the device.

        Raises:
            Refused: there is no such device, or it cannot compute in this precision.
        """
        from mlm_assets.ml.device import choose_device

        settings = self.lake.settings()
        return choose_device(
            self.device or settings.device,
            self.precision or settings.precision,
            is_compiled=settings.compile_models,
        )

    def n_processes(self) -> int:
        """Return how many processes share one training."""
        return self.processes or self.lake.settings().training_processes
