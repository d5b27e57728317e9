"""Schedules: they write the learning rate of every group, where a compiled step reads it."""

from eager.optim.schedules.base import LRScheduler
from eager.optim.schedules.cycles import CyclicLR, OneCycleLR
from eager.optim.schedules.decays import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from eager.optim.schedules.joined import ChainedScheduler, SequentialLR
from eager.optim.schedules.plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
           "CyclicLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
           "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR",
           "StepLR"]
