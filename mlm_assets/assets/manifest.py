"""How everything partitioned by release reads: through the versions and parameters that `refresh` has pinned."""

from mlm_assets.assets.stage import Stage
from mlm_assets.resources.lake import Version


class Manifest:
    """The pinned versions and parameters of the release that a stage works on."""

    def __init__(self, stage: Stage) -> None:
        """Read the manifest of the stage's partition."""
        self._rows = stage.lake.read(stage.version("refresh", stage.partition)).to_pylist()
        self._stage = stage
        for row in self._rows:
            if row["kind"] == "parameter":
                stage.pinned(row["name"], str(row["value"]))

    def versions(self, name: str) -> list[Version]:
        """Return the pinned versions of all partitions of a table; the checks may read them too."""
        found = [
            Version(name, row["partition"], row["value"], row["n_rows"])
            for row in self._rows
            if row["kind"] == "table" and row["name"] == name
        ]
        self._stage.provide(name, found)
        return found

    def parameter(self, name: str) -> str:
        """Return the pinned value of a parameter, as text."""
        return next(str(row["value"]) for row in self._rows if row["kind"] == "parameter" and row["name"] == name)
