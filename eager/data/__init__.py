"""Data sets and loaders, under the names of ``torch.utils.data``."""

from eager.data.collate import default_collate
from eager.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset, random_split
from eager.data.loader import DataLoader

__all__ = ["ConcatDataset", "DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate",
           "random_split"]
