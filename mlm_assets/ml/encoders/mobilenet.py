"""MobileNetV2 (Sandler et al., 2018), with the parameter names of torchvision's published weights.

Written out because torchvision's builds do not import beside every torch. Only the architecture belongs here.
"""

from typing import Any, Final

import torch
from torch import nn

# Expansion, channels out, blocks, stride of the first block: table 2 of the paper.
_STAGES: Final = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
_FIRST, _LAST = 32, 1280


def mobilenet_v2(classes: int = 1000) -> "MobileNetV2":
    """Return the network with random weights."""
    return MobileNetV2(classes)


class MobileNetV2(nn.Module):
    """Width 1.0. Pictures (n, 3, h, w) in; logits (n, classes) out, or (n, 1280) once `classifier` is None."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, _FIRST, 3, stride=2)]
        channels = _FIRST
        for expansion, out, blocks, stride in _STAGES:
            for number in range(blocks):
                layers.append(_Block(channels, out, expansion, stride if number == 0 else 1))
                channels = out
        layers.append(_convolution(channels, _LAST, 1))
        self.features = nn.Sequential(*layers)
        self.classifier: Any = nn.Sequential(nn.Dropout(0.2), nn.Linear(_LAST, classes))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return logits, or pooled features where there is no classifier."""
        pooled: torch.Tensor = self.features(pictures).mean(dim=(2, 3))
        if self.classifier is None:
            return pooled
        logits: torch.Tensor = self.classifier(pooled)
        return logits


class _Block(nn.Module):
    """Inverted residual: expand, convolve each channel alone, project; added to its input where shapes allow."""

    def __init__(self, channels: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = channels * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_convolution(channels, inner, 1)]
        layers += [
            _convolution(inner, inner, 3, stride=stride, groups=inner),
            nn.Conv2d(inner, out, 1, bias=False),
            nn.BatchNorm2d(out),
        ]
        self.conv = nn.Sequential(*layers)
        self.is_residual = stride == 1 and channels == out

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.conv(maps)
        return maps + made if self.is_residual else made


def _convolution(channels: int, out: int, side: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, out, side, stride, padding=side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU6())
