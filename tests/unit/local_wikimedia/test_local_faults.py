"""Faults are asked for in a small language, drawn without memory of time, and always noticeable."""

import io
import json
from email.utils import parsedate_to_datetime
from time import time

import pytest
from PIL import Image
from starlette.responses import Response

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia import misbehaviour
from mlm_assets.local_wikimedia.faults import KINDS, Faults


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("429", "429"),
        ("429=2", "between 0 and 1"),
        ("429=-0.1", "between 0 and 1"),
        ("429=x", "between 0 and 1"),
        ("nonsense=0.1", "nonsense"),
        ("429=0.1;speed=3", "speed=3"),
        ("429=0.1;seed=x", "seed=x"),
        ("429=0.6,503=0.6", "more than 1"),
    ],
)
def test_refuses_what_it_does_not_understand(spec: str, word: str) -> None:
    with pytest.raises(Refused, match=word):
        Faults.parse(spec)


@pytest.mark.parametrize("spec", [None, "", "all=0", "corrupt=1"])
def test_no_fault_where_none_fits(spec: str | None) -> None:
    plan = Faults.parse(spec)
    assert [plan.draw("sparql") for _ in range(200)] == [None] * 200


def test_rates_are_kept_and_shared_by_all_kinds() -> None:
    plan = Faults.parse("all=20%;seed=5")
    drawn = [plan.draw("files") for _ in range(20_000)]
    hits = [kind for kind in drawn if kind]
    assert 0.185 < len(hits) / len(drawn) < 0.215
    assert set(hits) == set(KINDS["files"])
    assert max(map(hits.count, set(hits))) < 1.3 * min(map(hits.count, set(hits)))


def test_same_seed_same_faults_and_services_do_not_disturb_each_other() -> None:
    alone, mixed = Faults.parse("all=0.5;seed=1"), Faults.parse("all=0.5;seed=1")
    expected = [alone.draw("sparql") for _ in range(50)]
    drawn = []
    for _ in range(50):
        mixed.draw("files")
        drawn.append(mixed.draw("sparql"))
    assert drawn == expected
    other = Faults.parse("all=0.5;seed=2")
    assert [other.draw("sparql") for _ in range(50)] != expected


@pytest.mark.parametrize("draw", [0.0, 0.2, 0.49, 0.5, 0.8, 0.999])
@pytest.mark.parametrize("service", ["sparql", "action_api"])
def test_truncated_json_never_parses(service: str, draw: float) -> None:
    whole = json.dumps({"results": {"bindings": [{"x": {"value": str(number)}} for number in range(9)]}})
    spoilt = misbehaviour.spoilt("truncated", service, Response(whole, media_type="application/json"), draw)
    assert spoilt.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        json.loads(bytes(spoilt.body))
    assert (b"TimeoutException" in bytes(spoilt.body)) == (service == "sparql" and draw < 0.5)


@pytest.mark.parametrize("draw", [0.0, 0.49, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_corrupt_pictures_never_decode(kind: str, draw: float) -> None:
    target = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(target, kind)
    response = Response(target.getvalue(), media_type=f"image/{kind.lower()}")
    Image.open(io.BytesIO(bytes(response.body))).load()
    body = bytes(misbehaviour.spoilt("corrupt", "files", response, draw).body)
    with pytest.raises(OSError, match=r"."):
        Image.open(io.BytesIO(body)).load()


def test_an_answer_that_is_no_success_is_not_spoilt() -> None:
    missing = Response(b"no such file", 404)
    assert misbehaviour.spoilt("corrupt", "files", missing, 0.1) is missing


def test_refusals_say_when_to_come_back() -> None:
    seconds = misbehaviour.instead_of("429")
    date = misbehaviour.instead_of("429-date")
    lag = misbehaviour.instead_of("maxlag")
    assert seconds is not None and date is not None and lag is not None
    assert int(seconds.headers["retry-after"]) == misbehaviour.RETRY_AFTER_S
    wait_s = parsedate_to_datetime(date.headers["retry-after"]).timestamp() - time()
    assert 0.5 < wait_s <= misbehaviour.RETRY_AFTER_S + 1
    assert seconds.headers["content-type"].startswith("text/html")
    assert lag.status_code == 200
    assert json.loads(bytes(lag.body))["error"]["code"] == "maxlag"
    assert misbehaviour.instead_of("slow") is None
