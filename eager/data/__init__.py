"""Data sets and loaders, under the names of torch.utils.data."""

from eager.data.dataset import Dataset, Subset, TensorDataset, random_split
from eager.data.loader import DataLoader, default_collate

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate", "random_split"]
