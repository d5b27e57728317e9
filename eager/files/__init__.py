"""Saving and loading tensors and what holds them: ``eager.save`` and ``eager.load``.

A file of ours is a safetensors file, which that library reads too, with the structure round the
tensors as JSON in its metadata.  Loading runs nothing that a file says.
"""

from eager.files.saving import load, save

__all__ = ["load", "save"]
