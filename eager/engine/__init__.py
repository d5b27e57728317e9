"""The define-by-run engine: tensors, the tape and the one way through which every op passes."""
