"""Mamba: A. Gu and T. Dao, "Linear-time sequence modeling with selective state spaces".

The scan over the sequence is left to right in a loop; `chunked` says it with cumulative sums,
`scanned` with a loop that is one operator, so that the length of the sequence may vary.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


def selective_scan(u, delta, A, B, C, D):
    """y_t = C_t h_t + D u_t of h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t."""
    decay = torch.exp(torch.einsum("bld,dn->bldn", delta, A))
    drive = torch.einsum("bld,bln,bld->bldn", delta, B, u)
    x = torch.zeros_like(drive[:, 0])
    ys = []
    for i in range(u.shape[1]):
        x = decay[:, i] * x + drive[:, i]
        ys.append(torch.einsum("bdn,bn->bd", x, C[:, i, :]))
    return torch.stack(ys, dim=1) + u * D


def chunked_scan(u, delta, A, B, C, D):
    """The same by the sums of the exponents: h_t = sum_s exp(S_t - S_s) drive_s for s <= t."""
    S = torch.cumsum(torch.einsum("bld,dn->bldn", delta, A), dim=1)
    drive = torch.einsum("bld,bln,bld->bldn", delta, B, u)
    length = torch.arange(u.shape[1])
    seen = (length[None, :] <= length[:, None])[None, :, :, None, None]
    spans = (S[:, :, None] - S[:, None]).masked_fill(~seen, float("-inf"))
    x = (torch.exp(spans) * drive[:, None]).sum(2)
    return torch.einsum("bldn,bln->bld", x, C) + u * D


def looped_scan(u, delta, A, B, C, D):
    """The same by the loop of the compiler."""
    import jit

    decay = torch.exp(torch.einsum("bld,dn->bldn", delta, A))
    drive = torch.einsum("bld,bln,bld->bldn", delta, B, u)

    def step(x, now):
        decay, drive, C = now
        x = decay * x + drive
        return x, torch.einsum("bdn,bn->bd", x, C)

    start = torch.zeros((u.shape[0], *A.shape), dtype=u.dtype)
    _, ys = jit.scan(step, start, tuple(t.transpose(0, 1) for t in (decay, drive, C)))
    return ys.transpose(0, 1) + u * D


class MambaBlock(nn.Module):
    def __init__(self, d_model, scan, d_state=4, d_conv=3, dt_rank=2):
        super().__init__()
        self.d_inner, self.d_state, self.dt_rank, self.scan = 2 * d_model, d_state, dt_rank, scan
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=False)
        self.conv1d = nn.Conv1d(self.d_inner, self.d_inner, d_conv, groups=self.d_inner,
                                padding=d_conv - 1)
        self.x_proj = nn.Linear(self.d_inner, dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(dt_rank, self.d_inner)
        A = torch.arange(1, d_state + 1, dtype=torch.float32).repeat(self.d_inner, 1)
        self.A_log = nn.Parameter(torch.log(A))
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

    def forward(self, x):
        b, l, d = x.shape
        x, res = self.in_proj(x).split(split_size=[self.d_inner, self.d_inner], dim=-1)
        x = self.conv1d(x.transpose(1, 2))[:, :, :l].transpose(1, 2)
        x = F.silu(x)
        delta, B, C = self.x_proj(x).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        delta = F.softplus(self.dt_proj(delta))
        y = self.scan(x, delta, -torch.exp(self.A_log.float()), B, C, self.D.float())
        return self.out_proj(y * F.silu(res))


class RMSNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Mamba(nn.Module):
    def __init__(self, vocab=31, d_model=8, n_layer=2, scan=selective_scan):
        super().__init__()
        self.embedding = nn.Embedding(vocab, d_model)
        self.layers = nn.ModuleList([MambaBlock(d_model, scan) for _ in range(n_layer)])
        self.norms = nn.ModuleList([RMSNorm(d_model) for _ in range(n_layer)])
        self.norm_f = RMSNorm(d_model)
        self.lm_head = nn.Linear(d_model, vocab, bias=False)
        self.lm_head.weight = self.embedding.weight
        self.scale = 1 / math.sqrt(d_model)

    def forward(self, input_ids):
        x = self.embedding(input_ids)
        for layer, norm in zip(self.layers, self.norms):
            x = layer(norm(x)) + x
        return self.lm_head(self.norm_f(x)) * self.scale


def build():
    return Mamba()


def chunked():
    return Mamba(scan=chunked_scan)


def scanned():
    return Mamba(scan=looped_scan)


def inputs(rng, batch, length):
    return (rng.integers(0, 31, (batch, length)),)
