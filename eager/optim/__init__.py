"""Optimisers and learning-rate schedules, under PyTorch's names."""

from eager.optim import lr_scheduler
from eager.optim.methods import SGD, Adam, AdamW
from eager.optim.optimizer import Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
