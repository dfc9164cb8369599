"""Encoders by transformers: tiny BERT, CLIP and SigLIP models with random weights, made on the spot."""

import json
import string
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders import UnusableVector, open_encoder

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = list(string.ascii_lowercase + string.ascii_uppercase + ".")
WORDS = [
    "avrig",
    "is",
    "a",
    "town",
    "in",
    "the",
    "county",
    "of",
    "sibiu",
    "by",
    "river",
    "olt",
    "with",
    "old",
    "houses",
]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def save_bert(folder: Path, seed: int = 1, **changes) -> Path:
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    about = {
        "vocab_size": len(vocabulary), "hidden_size": 16, "num_hidden_layers": 5, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 24, "initializer_range": 0.5,
    }  # fmt: skip
    torch.manual_seed(seed)
    BertModel(BertConfig(**{**about, **changes})).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False).save_pretrained(folder)
    return folder


def word_tokenizer(folder: Path, ending: str, model_max_length: int) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: number for number, token in enumerate(["<pad>", "<unk>", "<bos>", *LETTERS, *WORDS, ending])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    opening = "<bos> " if ending == "<eot>" else ""
    marks = [("<bos>", vocabulary["<bos>"]), (ending, vocabulary[ending])]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{opening}$A {ending}", special_tokens=marks)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token=ending,
        model_max_length=model_max_length,
    ).save_pretrained(folder)  # fmt: skip


def save_clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    word_tokenizer(folder, "<eot>", 12)
    size = len(LETTERS) + len(set(WORDS)) + 12
    side = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    end = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]["<eot>"]
    text = {**side, "vocab_size": size, "max_position_embeddings": 12, "eos_token_id": end, "bos_token_id": 2}
    vision = {**side, "image_size": 32, "patch_size": 8}
    torch.manual_seed(2)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=10)).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def save_siglip(folder: Path) -> Path:
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    word_tokenizer(folder, "</s>", 8)
    side = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    size = len(LETTERS) + len(set(WORDS)) + 12
    text = {**side, "vocab_size": size, "max_position_embeddings": 8, "projection_size": 16}
    torch.manual_seed(3)
    SiglipModel(
        SiglipConfig(text_config=text, vision_config={**side, "image_size": 32, "patch_size": 8})
    ).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    return save_siglip(tmp_path_factory.mktemp("siglip"))


def texts(n: int, seed: int = 0) -> list[str]:
    """Return texts of one to six sentences of very different length."""
    rng = np.random.default_rng(seed)

    def sentence() -> str:
        return " ".join(rng.choice(WORDS, rng.integers(2, 12))).capitalize() + " always."

    return [" ".join(sentence() for _ in range(rng.integers(1, 7))) for _ in range(n)]


def pictures(n: int, seed: int = 0) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (n, 8, 8, 3), np.uint8)
    return [Image.fromarray(part).resize((256, 256)) for part in small]


def assert_same_to_rounding(a, b):
    """One unit in the last place of float16, or 2e-5 where sums cancel."""
    difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
    allowed = np.maximum(np.spacing(np.maximum(np.abs(a), np.abs(b))).astype(np.float64), 2e-5)
    assert (difference <= allowed).all(), difference.max()


def direct_mean(folder: Path, pieces: list[str]) -> np.ndarray:
    """The definition, spelled out: each piece alone, no padding, first and last token left out."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    tokens = []
    for piece in pieces:
        with torch.no_grad():
            states = model(**tokenizer(piece, return_tensors="pt"), output_hidden_states=True).hidden_states
        tokens.append(torch.cat([states[-4], states[-3], states[-2], states[-1]], dim=-1)[0, 1:-1])
    return torch.cat(tokens).mean(dim=0).numpy()


def test_bert_is_the_mean_of_the_last_four_layers_over_all_tokens(bert):
    encoder = open_encoder(f"bert-multilingual:{bert}", "text")
    pieces = ["Avrig is old.", "It is big."]
    made = encoder.encode([" ".join(pieces), "Other."])
    assert (made.dtype, made.shape, encoder.dimension) == (np.float16, (2, 64), 64)
    np.testing.assert_allclose(made[0], direct_mean(bert, pieces), rtol=2e-3, atol=2e-4)
    # By sentence: the same words in one piece give another vector.
    assert np.abs(made[0] - direct_mean(bert, [" ".join(pieces)])).max() > 0.01


def test_a_sentence_longer_than_the_model_is_cut_into_windows_and_none_is_lost(bert):
    encoder = open_encoder(f"bert-multilingual:{bert}", "text")
    # 24 positions, 22 of them for tokens: letters without a space between them are one token each.
    word = "abcdefghijklmnopqrstuvw"
    made = encoder.encode([f"{word[:22]}", word, f"{word}x"])
    np.testing.assert_allclose(made[0], direct_mean(bert, [word[:22]]), rtol=2e-3, atol=2e-4)
    assert np.abs(made[0] - made[1]).max() > 1e-3
    assert np.abs(made[1] - made[2]).max() > 1e-3


def test_whole_text_counts_for_multilingual_and_500_characters_for_the_fault(tmp_path):
    folder = save_bert(tmp_path / "bert", max_position_embeddings=512)
    beginning = "Avrig is a town in Romania. " * 18
    assert len(beginning) > 500
    pair = [beginning[:500] + "Its river is the Olt.", beginning[:500] + "It has a mountain."]
    whole = open_encoder(f"bert-multilingual:{folder}", "text").encode(pair)
    assert np.abs(whole[0] - whole[1]).max() > 1e-3
    fault = open_encoder(f"bert-english-500:{folder}", "text")
    cut = fault.encode([*pair, beginning[:500], beginning[:499] + "X" + "y"])
    assert_same_to_rounding(cut[0], cut[1])
    assert_same_to_rounding(cut[0], cut[2])
    assert np.abs(cut[0] - cut[3]).max() > 1e-4
    # As one piece: no sentence is cut.
    short = "Avrig is old. It is small."
    np.testing.assert_allclose(fault.encode([short])[0], direct_mean(folder, [short]), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("kind", ["bert", "clip", "siglip"])
def test_a_text_has_the_same_vector_in_any_batch(kind, request):
    folder = request.getfixturevalue(kind)
    spec = f"bert-multilingual:{folder}" if kind == "bert" else f"hf:{folder}"
    several = texts(60)
    together = open_encoder(spec, "text", batch=7).encode(several)
    alone = np.concatenate([open_encoder(spec, "text", batch=32).encode([text]) for text in several[:5]])
    assert_same_to_rounding(together[:5], alone)
    encoder = open_encoder(spec, "text", batch=32)
    assert_same_to_rounding(together[::-1], encoder.encode(several[::-1]))
    assert np.array_equal(encoder.encode(several), encoder.encode(several))
    assert len(np.unique(together, axis=0)) == len(set(several))


def test_a_text_that_the_tokeniser_drops_counts_as_an_unknown_word(bert):
    encoder = open_encoder(f"bert-multilingual:{bert}", "text")
    made = encoder.encode(["\u200b", "Avrig", "漢"])
    assert np.isfinite(made).all()
    assert_same_to_rounding(made[0], made[2])
    assert np.abs(made[0] - made[1]).max() > 1e-3


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_both_sides_of_a_vision_language_model(kind, request):
    from transformers import AutoModel

    folder = request.getfixturevalue(kind)
    model = AutoModel.from_pretrained(folder).eval()
    text, image = (open_encoder(f"hf:{folder}", modality) for modality in ("text", "image"))
    assert text.identity != image.identity
    assert text.dimension == image.dimension == {"clip": 10, "siglip": 16}[kind]
    shown = pictures(5)
    made = image.encode(shown)
    assert made.shape == (5, image.dimension)
    np.testing.assert_allclose(np.linalg.norm(made.astype(np.float32), axis=1), 1, atol=2e-3)
    pixels = np.stack([np.asarray(p.resize((32, 32), Image.Resampling.BICUBIC), np.float32) / 255 for p in shown])
    mean, deviation = {
        "clip": ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
        "siglip": ([0.5] * 3, [0.5] * 3),
    }[kind]
    ready = torch.tensor((pixels - np.float32(mean)) / np.float32(deviation)).permute(0, 3, 1, 2)
    with torch.no_grad():
        direct = model.get_image_features(pixel_values=ready).pooler_output
    direct = torch.nn.functional.normalize(direct, dim=1).numpy()
    np.testing.assert_allclose(made, direct, atol=0.02)  # another resampling of the edges
    assert np.abs(made[0] - made[1]).max() > 1e-2


def test_clip_text_is_the_mean_of_unit_vectors_of_sentences(clip):
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(clip), AutoModel.from_pretrained(clip).eval()
    with torch.no_grad():
        rows = [
            torch.nn.functional.normalize(
                model.get_text_features(**tokenizer(part, return_tensors="pt")).pooler_output, dim=1
            )
            for part in ("a town in the county.", "The river olt.")
        ]
    direct = torch.nn.functional.normalize(torch.cat(rows).mean(dim=0), dim=0).numpy()
    made = open_encoder(f"hf:{clip}", "text").encode(["a town in the county. The river olt."])
    np.testing.assert_allclose(made[0], direct, rtol=2e-3, atol=2e-4)


def test_siglip_text_is_lower_case_padded_to_its_length_and_not_masked(siglip):
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(siglip), AutoModel.from_pretrained(siglip).eval()
    ids = tokenizer("the river olt", padding="max_length", max_length=8, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        direct = torch.nn.functional.normalize(model.get_text_features(input_ids=ids).pooler_output, dim=1).numpy()
    made = open_encoder(f"hf:{siglip}", "text").encode(["The River OLT", "the river olt"])
    np.testing.assert_allclose(made[0], direct[0], rtol=2e-3, atol=2e-4)
    assert np.array_equal(made[0], made[1])


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_end_of_a_long_sentence_counts(kind, request):
    encoder = open_encoder(f"hf:{request.getfixturevalue(kind)}", "text")
    beginning = " ".join(WORDS)
    made = encoder.encode([beginning + " town", beginning + " river"])
    assert np.abs(made[0] - made[1]).max() > 1e-3


def test_pictures_have_the_same_vectors_in_any_batch(clip):
    shown = pictures(9)
    together = open_encoder(f"hf:{clip}", "image", batch=4).encode(shown)
    assert_same_to_rounding(together, open_encoder(f"hf:{clip}", "image", batch=1).encode(shown))


def test_names_are_known_without_weights_and_change_with_them(bert, tmp_path, monkeypatch):
    import transformers

    def never(*args, **kwargs):
        raise AssertionError("weights were loaded")

    with monkeypatch.context() as patched:
        patched.setattr(transformers.AutoModel, "from_pretrained", never)
        encoder = open_encoder(f"bert-multilingual:{bert}", "text")
        assert encoder.dimension == 64
        identity = encoder.identity
    assert identity.startswith("bert-multilingual-")
    assert identity.endswith("-64")
    assert open_encoder(f"bert-english-500:{bert}", "text").identity != identity
    assert open_encoder(f"bert-multilingual:{bert}", "text", precision="bf16").identity == f"{identity}-bf16"
    assert open_encoder(f"bert-multilingual:{bert}", "text", batch=3).identity == identity
    # A copy elsewhere is the same encoder; other weights of the same size are not, nor is another vocabulary.
    again = save_bert(tmp_path / "again")
    assert open_encoder(f"bert-multilingual:{again}", "text").identity == identity
    other = save_bert(tmp_path / "other", seed=5)
    assert (other / "model.safetensors").stat().st_size == (bert / "model.safetensors").stat().st_size
    assert open_encoder(f"bert-multilingual:{other}", "text").identity != identity
    (again / "vocab.txt").write_text((again / "vocab.txt").read_text() + "\nmore")
    assert open_encoder(f"bert-multilingual:{again}", "text").identity != identity


def test_bf16_stays_close(bert):
    several = texts(5)
    exact = open_encoder(f"bert-multilingual:{bert}", "text").encode(several).astype(np.float32)
    rough = open_encoder(f"bert-multilingual:{bert}", "text", precision="bf16").encode(several).astype(np.float32)
    assert 0 < np.abs(exact - rough).max() < 0.2 * np.abs(exact).max()


def test_a_vector_that_is_not_finite_is_named(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save_bert(tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    unknown = SPECIAL.index("[UNK]")
    weights["embeddings.word_embeddings.weight"][unknown] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnusableVector, match=r"input 1 \('漢'\) is not finite") as caught:
        open_encoder(f"bert-multilingual:{folder}", "text").encode(["Avrig", "漢"])
    assert caught.value.position == 1


def test_no_text_gives_no_vectors(bert, clip):
    assert open_encoder(f"bert-multilingual:{bert}", "text").encode([]).shape == (0, 64)
    assert open_encoder(f"hf:{clip}", "image").encode([]).shape == (0, 10)


def refused(spec: str, modality: str = "text", encode=("Avrig",)) -> str:
    with pytest.raises(Refused) as caught:
        open_encoder(spec, modality).encode(list(encode))
    return str(caught.value)


def test_folders_that_hold_no_model_are_refused(tmp_path, bert, clip):
    assert "There is no folder" in refused(f"bert-multilingual:{tmp_path}/nowhere")
    assert "holds no model" in refused(f"bert-multilingual:{tmp_path}")
    folder = save_bert(tmp_path / "bert")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "holds no model.safetensors" in refused(f"bert-multilingual:{folder}")
    (folder / "model.safetensors").write_bytes(b"not weights at all")
    assert "cannot be loaded" in refused(f"bert-multilingual:{folder}")
    assert "no text_config and no vision_config" in refused(f"hf:{bert}")
    assert "use it as hf:" in refused(f"bert-multilingual:{clip}")
    assert "4 layers" in refused(f"bert-multilingual:{save_bert(tmp_path / 'flat', num_hidden_layers=3)}")
    assert "needs a model" in refused("hf:")
    (folder / "config.json").write_text("[]")
    assert "does not describe a model" in refused(f"bert-multilingual:{folder}")


def test_a_missing_weight_is_refused_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save_bert(tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.2.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "does not hold all weights of the model: encoder.layer.2" in refused(f"bert-multilingual:{folder}")


def test_sharded_weights_must_be_complete(tmp_path):
    from transformers import AutoModel

    whole = save_bert(tmp_path / "whole")
    folder = save_bert(tmp_path / "sharded")
    (folder / "model.safetensors").unlink()
    AutoModel.from_pretrained(whole).save_pretrained(folder, max_shard_size="10KB")
    made = open_encoder(f"bert-multilingual:{folder}", "text").encode(["Avrig"])
    assert np.array_equal(made, open_encoder(f"bert-multilingual:{whole}", "text").encode(["Avrig"]))
    next(folder.glob("model-00002*")).unlink()
    assert "was not fetched completely" in refused(f"bert-multilingual:{folder}")


def test_code_of_a_model_is_never_run(tmp_path):
    folder = save_bert(tmp_path / "bert")
    witness = tmp_path / "ran"
    (folder / "modeling.py").write_text(f"open({str(witness)!r}, 'w')\nclass Config: pass\nclass Model: pass\n")
    about = json.loads((folder / "config.json").read_text())
    about |= {"model_type": "mine", "auto_map": {"AutoConfig": "modeling.Config", "AutoModel": "modeling.Model"}}
    (folder / "config.json").write_text(json.dumps(about))
    assert "cannot be loaded" in refused(f"bert-multilingual:{folder}")
    assert not witness.exists()


@pytest.mark.parametrize("spec", ["bert-multilingual", "bert-english-500", "hf:google/siglip2-base-patch16-224"])
def test_a_model_of_the_hub_without_network_is_refused_with_what_to_do(spec, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    said = refused(spec)
    assert "cannot be fetched" in said
    assert "hf download" in said
    assert "neither a folder nor the id" in refused("hf:no such/model name/at all")


def test_a_model_in_the_cache_of_the_hub_is_found_without_network(bert, tmp_path, monkeypatch):
    import shutil

    revision = "a" * 40
    home = tmp_path / "models--bert-base-multilingual-cased"
    shutil.copytree(bert, home / "snapshots" / revision)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    encoder = open_encoder("bert-multilingual", "text")
    assert encoder.identity == open_encoder(f"bert-multilingual:{bert}", "text").identity
    assert encoder.encode(["Avrig"]).shape == (1, 64)
