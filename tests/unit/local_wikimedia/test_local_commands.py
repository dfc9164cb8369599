"""The local world of a command: month and tampering are checked, and are no part of what a home was made from."""

from pathlib import Path

import pytest

from mlm_assets.commands.endpoints import World, kept_world, local_services
from mlm_assets.errors import Refused
from mlm_assets.resources.source import source_of
from mlm_assets.settings import Settings


@pytest.mark.parametrize(
    ("world", "word"),
    [
        (World(month=2), "--month"),
        (World(endpoint="http://127.0.0.1:1", month=2), "--month"),
        (World(generate=5, month=-1), "--month"),
        (World(tamper="extracts_cut"), "--tamper"),
        (World(generate=5, tamper="nonsense"), "nonsense"),
    ],
)
def test_months_and_tampering_need_a_world_that_has_them(world: World, word: str) -> None:
    with pytest.raises(Refused, match=word):
        world.check()
    World(generate=5, month=3, tamper="extracts_cut").check()


def test_the_month_is_kept_with_the_world_and_tampering_is_not(tmp_path: Path) -> None:
    World(generate=5, seed=2, month=7, tamper="extracts_cut").keep(tmp_path, "source")
    assert kept_world(tmp_path) == World(generate=5, seed=2, month=7)
    (tmp_path / "world.json").write_text('{"source": "s", "generate": 5, "seed": 2, "folder": null}')
    assert kept_world(tmp_path) == World(generate=5, seed=2)


def test_a_world_is_the_same_source_in_every_month(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = set()
    for month, tamper in ((0, None), (20, "items_deleted")):
        for name in ("SPARQL", "WIKIPEDIA", "COMMONS"):
            monkeypatch.setenv(f"MLM_{name}_URL", "")  # restored afterwards: local_services sets them
        with local_services(World(generate=40, seed=2, month=month, tamper=tamper)) as urls:
            sources.add(source_of(Settings(**urls)))
    assert sources == {"generated world of 40 candidates, seed 2"}
