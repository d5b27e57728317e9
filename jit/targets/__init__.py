"""What differs between CPUs: instruction sets, microkernels, and LLVM that emits for them."""
