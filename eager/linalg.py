"""Linear algebra, under the names of ``torch.linalg``."""

from eager.engine.spelling import module_hooks
from eager.engine.tensor import TAPED

__getattr__, __dir__ = module_hooks("linalg", TAPED)
