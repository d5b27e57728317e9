"""What torch keeps under ``nn.utils``: gradients held within bounds."""

from eager.nn.utils.clipping import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_"]
