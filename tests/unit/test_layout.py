"""The published layout of a record."""

from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.release.layout import degrees, published_record


def test_a_record_has_the_published_layout() -> None:
    row = {
        "qid": "Q23178", "label": "Bisceglie", "lat_deg": 41.240933333, "lon_deg": -16.5, "class_labels": ["comune"],
        "summaries": [{"lang": "en", "text": "A town."}, {"lang": "de", "text": "Eine Stadt."}],
        "images": [{"name": "Q23178_0.jpg"}, {"name": "Q23178_2.jpg"}],
    }  # fmt: skip
    assert published_record(row) == {
        "id": 23178,
        "item": "Bisceglie",
        "coordinates": ["41.240933333", "-16.5"],
        "summaries": {"en_wiki": "A town.", "de_wiki": "Eine Stadt."},
        "images": ["Q23178_0.jpg", "Q23178_2.jpg"],
        "classes": ["comune"],
    }


@given(st.floats(-180, 180))
def test_degrees_are_plain_decimals_close_to_the_value(value: float) -> None:
    text = degrees(value)
    assert "e" not in text.lower()
    assert abs(float(text) - value) < 1e-11
