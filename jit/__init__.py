"""Trace eager models into a static graph and compile it to native kernels."""
