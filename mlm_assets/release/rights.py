"""Which pictures are published: the policy of a maintainer, and the verdict on one picture.

A policy only decides what leaves the house. The datasets of the home hold everything, and a settlement whose pictures
are all withheld stays among the published records, without images.
"""

from dataclasses import asdict, dataclass
from typing import Any

from mlm_assets.release.licences import UNKNOWN, allow_list, is_allowed


@dataclass(frozen=True)
class RightsPolicy:
    """What may be published: licences (identifiers or patterns), and how much of a picture a face may cover.

    `face_detector` says who looked for faces; "none": nobody did, and no picture is withheld for one.
    """

    allowed_licences: tuple[str, ...]
    face_detector: str
    max_face_share: float

    @classmethod
    def of_settings(cls, allowed_licences: str, face_detector: str, max_face_share: float) -> "RightsPolicy":
        """Return the policy that the settings of these names amount to."""
        return cls(allow_list(allowed_licences), face_detector, max_face_share)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, for a manifest."""
        return {**asdict(self), "allowed_licences": list(self.allowed_licences)}


def withheld(
    policy: RightsPolicy, licence: str, deletion_reason: str | None, face_fraction: float | None
) -> str | None:
    """Return why a picture is not published, None where it is; keys of `tables.WITHHELD_REASONS`, in their order.

    `licence` is an identifier of `release.licences`.
    """
    if not is_allowed(licence, policy.allowed_licences):
        return "licence_unknown" if licence == UNKNOWN else "licence_not_allowed"
    if (deletion_reason or "").strip():
        return "nominated_for_deletion"
    if face_fraction is not None and face_fraction > policy.max_face_share:
        return "face"
    return None


def of_the_picture(share_of_square: float, width_px: int | None, height_px: int | None) -> float:
    """Return the share of a picture that something covers, from the share that it covers of its padded square.

    `width_px` and `height_px` are the original's; the square is filled up with white along the shorter side.
    """
    if not width_px or not height_px:
        return share_of_square
    return min(1.0, round(share_of_square * max(width_px, height_px) / min(width_px, height_px), 4))
