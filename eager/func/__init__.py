"""Functions of functions: gradients, products with Jacobians, and maps over a batch."""

from eager.func.jacobians import hessian, jacfwd, jacrev
from eager.func.mapping import vmap
from eager.func.stateless import functional_call, stack_module_state
from eager.func.transforms import grad, grad_and_value, jvp, linearize, value_and_grad, vjp

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
           "linearize", "stack_module_state", "value_and_grad", "vjp", "vmap"]
