"""Optimisers and learning-rate schedules, under PyTorch's names."""

from eager.optim import lr_scheduler, swa_utils
from eager.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from eager.optim.adaptive import Adadelta, Adafactor, Adagrad, RMSprop, SparseAdam
from eager.optim.descent import ASGD, SGD, Muon, Rprop
from eager.optim.lbfgs import LBFGS
from eager.optim.optimizer import Optimizer

__all__ = ["ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax",
           "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop", "SparseAdam",
           "lr_scheduler", "swa_utils"]
