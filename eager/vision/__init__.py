"""Building blocks of vision models, under torchvision's names."""

from eager.vision import ops

__all__ = ["ops"]
