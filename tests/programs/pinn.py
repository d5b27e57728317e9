"""A network that solves Burgers' equation: M. Raissi et al., "Physics-informed neural networks"."""

import math

import torch
import torch.nn as nn


class PINN(nn.Module):
    def __init__(self, layers=(2, 10, 10, 1)):
        super().__init__()
        parts = []
        for a, b in zip(layers[:-2], layers[1:-1]):
            parts += [nn.Linear(a, b), nn.Tanh()]
        self.net = nn.Sequential(*parts, nn.Linear(layers[-2], layers[-1]))

    def forward(self, x, t):
        return self.net(torch.stack([x, t], dim=1)).squeeze(-1)


def build():
    return PINN()


def inputs(rng):
    return rng.uniform(-1, 1, 12), rng.uniform(0, 1, 12)


def loss(model, x, t):
    x = x.clone().requires_grad_(True)
    t = t.clone().requires_grad_(True)
    u = model(x, t)
    ones = torch.ones_like(u)
    u_t = torch.autograd.grad(u, t, grad_outputs=ones, create_graph=True)[0]
    u_x = torch.autograd.grad(u, x, grad_outputs=ones, create_graph=True)[0]
    u_xx = torch.autograd.grad(u_x, x, grad_outputs=ones, create_graph=True)[0]
    residual = u_t + u * u_x - (0.01 / math.pi) * u_xx
    start = model(x, torch.zeros_like(t)) + torch.sin(math.pi * x)
    return torch.mean(residual ** 2) + torch.mean(start ** 2)
