"""Guards, and the whole report with its tables, rows and plots."""

import io
import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from evaluation_worlds import blind, cheating, constant, honest, world
from PIL import Image

from mlm_assets.errors import Refused
from mlm_assets.ml.evaluation.guards import derangement, guard, shuffled_material, verdicts
from mlm_assets.ml.evaluation.options import Options
from mlm_assets.ml.evaluation.paper import paper_figures
from mlm_assets.ml.evaluation.plots import plots
from mlm_assets.ml.evaluation.report import evaluate, markdown_tables, rows
from mlm_assets.ml.evaluation.splits import blocked_split
from mlm_assets.ml.material import TEST
from mlm_assets.ml.synthetic import synthetic_material

KEYS = {
    *("about", "retrieval", "location", "chance", "gallery", "paper", "full_gallery", "per_language", "pooled_views"),
    *("paired", "leakage", "without_leaks", "breakdown", "guards", "blocked"),
}


def three_models(material):
    return {
        "ir_model": honest(material, locates=False),
        "le_model": honest(material, retrieves=False),
        "mtl_model": honest(material),
    }


class TestGuards:
    @pytest.mark.parametrize("predict", [None, honest])
    def test_an_informative_model_falls_to_chance(self, predict):
        material = world(800, noise=0.1)
        found = guard(material, honest(material), seed=1, predict=predict)
        assert found["passed"] is True
        for shuffle, source in (("texts", "text"), ("images", "image")):
            for direction in ("image_to_text", "text_to_image"):
                figures = found[shuffle][direction]
                assert figures["R@1"]["original"] > 0.9
                assert figures["R@1"]["value"] <= figures["R@1"]["high"] < 0.2
                assert figures["R@10"]["chance"] == pytest.approx(10 / 80, abs=0.01)
                assert figures["medR"]["low"] <= figures["medR"]["value"]
            assert found[shuffle][source]["f1"]["original"] > 0.9
            assert found[shuffle][source]["f1"]["value"] <= found[shuffle][source]["f1"]["high"] < 0.5

    def test_a_model_that_knows_settlements_by_their_number_is_caught(self):
        """Its predictions change hands without a trace; only shown other texts does it give itself away."""
        material = world(800)
        assert guard(material, cheating(material), seed=1)["passed"] is True
        found = guard(material, cheating(material), seed=1, predict=cheating)
        assert found["passed"] is False
        what = {one["what"]: one["holds"] for one in verdicts({"mtl_model": found})}
        assert len(what) == 20
        assert not any(what.values())
        assert found["texts"]["image_to_text"]["R@1"]["value"] == 1
        assert found["texts"]["image_to_text"]["R@1"]["p"] == 0.001

    def test_a_model_that_peeks_at_one_task_is_caught_at_that_one(self):
        def peeking(material):
            return replace(honest(material), text_log_probs=cheating(material).text_log_probs)

        material = world(800)
        found = verdicts({"m": guard(material, peeking(material), seed=1, predict=peeking)})
        assert {one["what"] for one in found if not one["holds"]} == {
            "m, texts shuffled, text, f1",
            "m, texts shuffled, text, accuracy",
        }

    @pytest.mark.parametrize("model", [constant, blind])
    def test_a_model_without_knowledge_is_at_chance_anyway(self, model):
        material = world(800)
        found = guard(material, model(material), seed=1)
        assert found["passed"] is True
        assert found["texts"]["image_to_text"]["medR"]["original"] == pytest.approx(40.5, abs=14)

    def test_few_items_are_not_judged(self):
        material = world(40)
        found = guard(material, honest(material), seed=1)
        assert found["passed"] is None
        assert verdicts({"m": found}) == []

    @pytest.mark.parametrize("n", [2, 3, 50])
    def test_a_derangement_leaves_none_in_its_place(self, n):
        order = derangement(n, 1)
        assert sorted(order) == list(range(n))
        assert (order != np.arange(n)).all()
        assert derangement(1, 1) is None

    def test_shuffled_texts_take_their_languages_and_classes_with_them(self):
        material = world(100)
        items = material.items(TEST)
        order = derangement(len(items), 1)
        shuffled = shuffled_material(material, items, "texts", order)
        for item, other in zip(items, items[order], strict=True):
            for name in ("texts", "classes"):
                np.testing.assert_array_equal(getattr(shuffled, name).of(item), getattr(material, name).of(other))
            langs = shuffled.text_langs[shuffled.texts.offsets[item] : shuffled.texts.offsets[item + 1]]
            of_other = material.text_langs[material.texts.offsets[other] : material.texts.offsets[other + 1]]
            np.testing.assert_array_equal(langs, of_other)
            np.testing.assert_array_equal(shuffled.images.of(item), material.images.of(item))


@pytest.fixture(scope="module")
def reported():
    material = world(1600, noise=0.4)
    apart = blocked_split(material, seed=1)
    said = three_models(material)
    told = []
    report = evaluate(
        material, said, seed=1, resamples=200, blocked=(apart, honest(apart)), progress=told.append,
        predict=dict.fromkeys(said, honest),
    )  # fmt: skip
    return material, said, report, told


class TestReport:
    def test_it_has_every_part_per_model_and_direction(self, reported):
        _, _, report, _ = reported
        assert set(report) == KEYS
        both, sources = {"image_to_text", "text_to_image"}, {"image", "text"}
        assert {model: set(found) for model, found in report["retrieval"].items()} == {
            "ir_model": both,
            "mtl_model": both,
        }
        assert {model: set(found) for model, found in report["location"].items()} == {
            "le_model": sources,
            "mtl_model": sources,
        }
        for part in ("chance", "gallery"):
            assert {model: set(found) for model, found in report[part].items()} == {
                "ir_model": both, "le_model": sources, "mtl_model": both | sources,
            }  # fmt: skip
        figures = report["retrieval"]["mtl_model"]["image_to_text"]
        names = {f"{name}{end}" for name in ("medR", "R@1", "R@5", "R@10") for end in ("", "_low", "_high")}
        assert set(figures) == names | {"n"}
        assert {*report["chance"]["mtl_model"]["image_to_text"]} == names
        assert report["gallery"]["mtl_model"]["image_to_text"] == {"items": 160, "protocol_size": 160, "draws": 1}
        assert set(report["per_language"]["mtl_model"]) == {"en", "de", "fr"}

    def test_it_is_json_and_the_same_again(self, reported):
        material, said, report, _ = reported
        text = json.dumps(report, allow_nan=False)
        assert json.loads(text) == report
        again = evaluate(
            material, said, seed=1, resamples=200, predict=dict.fromkeys(said, honest),
            blocked=(apart := blocked_split(material, seed=1), honest(apart)),
        )  # fmt: skip
        assert json.dumps(again, allow_nan=False) == text

    def test_values_lie_in_their_intervals_and_above_chance(self, reported):
        _, _, report, _ = reported
        for section in ("retrieval", "location"):
            for model, directions in report[section].items():
                for direction, figures in directions.items():
                    chance = report["chance"][model][direction]
                    for name in ("R@10",) if section == "retrieval" else ("f1", "accuracy", "within_750_km"):
                        assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
                        assert figures[f"{name}_low"] > chance[f"{name}_high"]

    def test_untrained_models_are_within_chance(self):
        """A 95 % interval holds chance in 19 of 20 cases."""
        material = world(1600)
        models = {f"model_{seed}": blind(material, seed) for seed in range(6)}
        report = evaluate(material, models, seed=1, resamples=100)
        holds = {"medR": [], "accuracy": []}
        for section, name in (("retrieval", "medR"), ("location", "accuracy")):
            for model, directions in report[section].items():
                for direction, ours in directions.items():
                    chance = report["chance"][model][direction][name]
                    holds[name].append(ours[f"{name}_low"] <= chance <= ours[f"{name}_high"])
        assert len(holds["medR"]) == len(holds["accuracy"]) == 12
        assert min(map(sum, holds.values())) >= 10

    def test_single_tasks_are_compared_with_multitask_on_their_task(self, reported):
        _, _, report, _ = reported
        found = Counter((one["single"], one["multitask"], one["section"], one["direction"]) for one in report["paired"])
        protocol = [("ir_model", way) for way in ("image_to_text", "text_to_image")]
        expected = {(model, "mtl_model", "full_gallery", way) for model, way in protocol}
        expected |= {
            (model, "mtl_model", "protocol", way)
            for model, way in [*protocol, ("le_model", "image"), ("le_model", "text")]
        }
        assert set(found) == expected
        for pair in report["paired"]:  # the same model twice, here
            assert all(one["difference"] == 0 and one["p"] == 1 for one in pair["figures"].values())

    def test_scores_without_leaks_leave_the_leaking_items_out(self, reported):
        _, _, report, _ = reported
        clean = report["without_leaks"]["mtl_model"]["gallery"]["text"]["items"]
        assert report["leakage"]["leaking_items"] == 160 - clean

    def test_guards_and_progress(self, reported):
        _, _, report, told = reported
        assert report["guards"]["verdicts"]
        assert all(one["holds"] for one in report["guards"]["verdicts"])
        assert told[0] == "benchmark 1 of 18: leakage between splits"
        assert told[-1] == "benchmark 18 of 18: the spatially blocked split"
        assert len(told) == 18

    def test_the_blocked_split_counts_cells_that_were_never_seen(self, reported):
        material, _, report, _ = reported
        apart = blocked_split(material, seed=1)
        seen = set(apart.cells[apart.splits == 0])
        unseen = sum(int(cell) not in seen for cell in apart.cells[apart.items(TEST)])
        assert report["blocked"]["gallery"]["text"]["items_in_unseen_cells"] == unseen

    def test_tables_show_paper_chance_and_gallery(self, reported):
        _, _, report, _ = reported
        text = markdown_tables(report)
        row = next(line for line in text.splitlines() if line.startswith("| multitask (IR+LE) | text → image"))
        assert [cell.strip() for cell in row.split("|")][4:6] == ["11.9", "80.5"]
        assert "160, all once" in row
        row = next(line for line in text.splitlines() if line.startswith("| multitask (IR+LE) | text | "))
        assert [cell.strip() for cell in row.split("|")][4] == "0.58"
        assert "160, 8" in row
        row = next(line for line in text.splitlines() if line.startswith("| single task (LE) | image"))
        assert [cell.strip() for cell in row.split("|")][4] == "-"

    def test_rows_have_unique_keys_and_hold_every_figure(self, reported):
        _, _, report, _ = reported
        found = rows(report)
        columns = {"model", "section", "direction", "group", "figure", "value", "low", "high", "n", "paper"}
        assert all(set(row) == columns for row in found)
        keys = Counter((row["section"], row["model"], row["direction"], row["group"], row["figure"]) for row in found)
        assert max(keys.values()) == 1
        sections = {row["section"] for row in found}
        assert {"retrieval", "location", "chance", "full_gallery", "per_language", "breakdown", "leakage"} <= sections
        medians = [row for row in found if row["paper"] == 19.9]
        assert [(row["model"], row["direction"], row["figure"]) for row in medians] == [
            ("mtl_model", "image_to_text", "medR")
        ]
        assert all(row["value"] is None or math.isfinite(row["value"]) for row in found)

    def test_plots_are_pictures(self, reported):
        material, said, report, _ = reported
        found = plots(report, material, said)
        assert set(found) == {"recall", "error_distance", "error_map", "per_language_recall", "per_language_f1"}
        for png in found.values():
            with Image.open(io.BytesIO(png)) as picture:
                assert picture.format == "PNG"
                assert len(picture.convert("RGB").getcolors(1 << 20)) > 4

    @pytest.mark.parametrize("model", ["ir_model", "le_model"])
    def test_one_task_alone_is_enough(self, model):
        material = world(300)
        said = {model: three_models(material)[model]}
        report = evaluate(material, said, seed=1, resamples=50)
        assert bool(report["retrieval"]) is (model == "ir_model")
        assert bool(report["location"]) is (model == "le_model")
        assert report["paired"] == []
        assert markdown_tables(report).count("**Table") == 1
        assert rows(report)
        assert plots(report, material, said)

    @pytest.mark.parametrize("n", [10, 30, 120])
    def test_a_handful_of_test_items_is_enough(self, n):
        material = world(n)
        said = three_models(material)
        report = evaluate(material, said, seed=1, resamples=50)
        json.dumps(report, allow_nan=False)
        assert report["gallery"]["mtl_model"]["image_to_text"]["items"] == n // 10
        if n == 10:
            assert report["retrieval"]["mtl_model"]["image_to_text"]["medR"] == 1
            assert report["retrieval"]["mtl_model"]["image_to_text"]["medR_low"] is None
        assert rows(report)
        assert markdown_tables(report)
        assert plots(report, material, said)

    def test_a_single_cell_is_no_reason_to_fail(self):
        material = synthetic_material(60, n_cells=1, image_dimension=48, text_dimension=48)
        report = evaluate(material, {"mtl_model": honest(material)}, seed=1, resamples=50)
        assert report["location"]["mtl_model"]["text"]["f1"] == report["chance"]["mtl_model"]["text"]["f1"] == 1

    def test_more_than_the_protocol_needs(self):
        material = world(6000, noise=0.3)
        report = evaluate(material, {"mtl_model": honest(material)}, seed=1, resamples=50)
        assert report["gallery"]["mtl_model"]["image_to_text"] == {"items": 600, "protocol_size": 500, "draws": 10}
        assert report["full_gallery"]["mtl_model"]["gallery"]["image_to_text"]["protocol_size"] == 600

    def test_the_faults_of_the_original_can_be_seen(self):
        material = world(1000, noise=0.0)
        said = {"mtl_model": honest(material)}
        options = Options(recall_summed_over_languages=True, language_by_counter=True)
        report = evaluate(material, said, seed=1, resamples=50, options=options)
        assert report["retrieval"]["mtl_model"]["image_to_text"]["R@1"] == pytest.approx(3)
        assert report["full_gallery"]["mtl_model"]["retrieval"]["image_to_text"]["R@1"] == pytest.approx(1)

    def test_nothing_to_measure_is_refused(self):
        material = world(100)
        with pytest.raises(Refused, match="no predictions"):
            evaluate(material, {}, seed=1)


class TestPaper:
    def test_its_figures_stand_where_they_belong(self):
        irle, gr = paper_figures("mlm_irle"), paper_figures("mlm_irle_gr")
        assert [gr["retrieval"]["ir_model"][way]["medR"] for way in ("image_to_text", "text_to_image")] == [53.6, 43.2]
        assert [irle["location"]["mtl_model"][source]["f1"] for source in ("image", "text")] == [0.15, 0.58]
        assert irle["location"]["le_model"]["image"]["f1"] is None
        assert paper_figures("mlm") == {"retrieval": {}, "location": {}}
