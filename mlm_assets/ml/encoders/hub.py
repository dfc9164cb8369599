"""Models of Hugging Face: found in a folder, in the hub's cache, or fetched; named by their content; loaded whole.

Weights are safetensors and nothing else, code of a model's authors is never run, and a weight that the files do not
hold is an error (the library would make it up at random and go on). What is done with a model does not belong here.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders.needs import need_package, need_torch
from mlm_assets.ml.encoders.weights import file_sha256

_DESCRIPTIONS: Final = (
    "config.json", "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt",
    "*.model", "preprocessor_config.json", "processor_config.json",
)  # fmt: skip
_WHOLE: Final = "model.safetensors"
_INDEX: Final = "model.safetensors.index.json"
_WEIGHTS: Final = (_WHOLE, _INDEX, "model-*.safetensors")
# Models of RoBERTa's family number positions from the padding token on, so two of them hold no token.
_SHIFTED: Final = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "altclip", "altclip_text_model")


class HubModel:
    """A model in a folder, or by its id in the hub (`owner/name` or `owner/name@revision`).

    A folder is anything that begins with `/`, `.` or `~`, or that is there. An id is looked for in the cache first and
    fetched only if it is not there; what was once fetched stays as it was until the cache is emptied.

    Raises:
        Refused: nothing there, no network, no safetensors, or not a model.
    """

    def __init__(self, where: str, encoder: str) -> None:
        need_torch(encoder)
        need_package("transformers", "transformers", encoder, "'mlm-assets[gpu]'")
        if not where:
            raise Refused(f"The encoder {encoder} needs a model: {encoder}:<model id or folder>.")
        self._encoder = encoder
        path = Path(where).expanduser()
        is_folder = where[0] in "/.~" or path.is_dir()
        if is_folder and not path.is_dir():
            raise Refused(f"There is no folder {where} with a model for the encoder {encoder}.")
        self.folder = path if is_folder else _from_hub(where, encoder)
        self.described = self._described()
        self._weight_files()

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any file that has a say in the vectors."""
        found = {path.name: path for pattern in _DESCRIPTIONS for path in self.folder.glob(pattern) if path.is_file()}
        found |= {path.name: path for path in self._weight_files()}
        lines = [f"{name} {file_sha256(found[name])}" for name in sorted(found)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    @cached_property
    def config(self) -> Any:
        """The model's configuration, with the library's defaults filled in."""
        from transformers import AutoConfig

        return self._loaded("configuration", AutoConfig.from_pretrained)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokeniser; one that can cut long texts into windows.

        Raises:
            Refused: there is none, or only one written in Python, which cannot.
        """
        from transformers import AutoTokenizer

        tokenizer = self._loaded("tokeniser", AutoTokenizer.from_pretrained)
        if not tokenizer.is_fast:
            raise Refused(f"{self.folder} has a tokeniser that cannot cut long texts; save it as tokenizer.json.")
        return tokenizer

    @cached_property
    def image_processor(self) -> Any:
        """What brings pictures into the model's shape, by Pillow: torchvision need not be there."""
        from transformers import AutoImageProcessor

        return self._loaded("image processor", AutoImageProcessor.from_pretrained, backend="pil")

    def model(self, device: str, **options: Any) -> Any:
        """Return the model in float32, in evaluation mode, on a device.

        Raises:
            Refused: the files do not hold all of its weights.
        """
        import torch
        from transformers import AutoModel

        model, info = self._loaded(
            "model", AutoModel.from_pretrained,
            use_safetensors=True, dtype=torch.float32, output_loading_info=True, **options,
        )  # fmt: skip
        missing = sorted(info["missing_keys"])
        if missing:
            raise Refused(
                f"{self.folder} does not hold all weights of the model: {missing[0]} is missing ({len(missing)})."
            )
        return model.eval().to(device)

    def capacity(self, config: Any) -> int:
        """Return how many tokens the text side with this configuration takes at once, special ones included."""
        positions = int(config.max_position_embeddings)
        if config.model_type in _SHIFTED:
            positions -= int(config.pad_token_id or 0) + 1
        return int(min(positions, self.tokenizer.model_max_length))

    def _described(self) -> dict[str, Any]:
        path = self.folder / "config.json"
        try:
            described = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Refused(f"{self.folder} holds no model for the encoder {self._encoder} ({error}).") from error
        if not isinstance(described, dict):
            raise Refused(f"{path} does not describe a model.")
        return described

    def _weight_files(self) -> list[Path]:
        if (self.folder / _WHOLE).is_file():
            return [self.folder / _WHOLE]
        if not (self.folder / _INDEX).is_file():
            raise Refused(f"{self.folder} holds no {_WHOLE}; weights in another format are not opened. Convert them.")
        parts = json.loads((self.folder / _INDEX).read_text("utf-8"))["weight_map"].values()
        files = [self.folder / _INDEX, *(self.folder / Path(name).name for name in sorted(set(parts)))]
        for file in files:
            if not file.is_file():
                raise Refused(f"{file} is missing; the model was not fetched completely.")
        return files

    def _loaded(self, what: str, load: Any, **options: Any) -> Any:
        with _quiet():
            try:
                return load(self.folder, local_files_only=True, trust_remote_code=False, **options)
            except Exception as error:
                # The library raises nearly any type, by what is wrong with which file.
                reason = " ".join(str(error).split())[:300]
                raise Refused(
                    f"The {what} in {self.folder} cannot be loaded ({type(error).__name__}: {reason})."
                ) from error


def _from_hub(where: str, encoder: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, revision = where.partition("@")
    patterns = [*_DESCRIPTIONS, *_WEIGHTS]
    try:
        for is_local in (True, False):
            try:
                found = snapshot_download(
                    name, revision=revision or None, allow_patterns=patterns, local_files_only=is_local
                )
            except LocalEntryNotFoundError:
                if not is_local:
                    raise
            else:
                return Path(found)
    except HFValidationError as error:
        raise Refused(f"{name!r} is neither a folder nor the id of a model.") from error
    except (HfHubHTTPError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Refused(
            f"The model {where} for the encoder {encoder} is not on this machine and cannot be fetched ({reason}). "
            f"Fetch it beforehand (hf download {name}), or give the folder it lies in: {encoder}:/folder."
        ) from error
    raise AssertionError("unreachable")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from drawing progress bars and tables while it loads; it is set back afterwards."""
    from transformers import utils

    logging: Any = utils.logging
    level, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if had_bars:
            logging.enable_progress_bar()
