"""Denoising diffusion: J. Ho et al., "Denoising diffusion probabilistic models"."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class SinusoidalPositionEmbeddings(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, time):
        half = self.dim // 2
        scale = math.log(10000) / (half - 1)
        freq = torch.exp(torch.arange(half, device=time.device) * -scale)
        args = time[:, None] * freq[None, :]
        return torch.cat((args.sin(), args.cos()), dim=-1)


class Block(nn.Module):
    def __init__(self, dim, dim_out, time_dim):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim_out * 2))
        self.proj = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.norm = nn.GroupNorm(2, dim_out)
        self.res = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

    def forward(self, x, t):
        scale, shift = self.mlp(t)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(self.proj(x)) * (scale + 1) + shift
        return F.silu(h) + self.res(x)


class Denoiser(nn.Module):
    def __init__(self, dim=4, time_dim=8):
        super().__init__()
        self.time_mlp = nn.Sequential(SinusoidalPositionEmbeddings(dim), nn.Linear(dim, time_dim),
                                      nn.GELU(), nn.Linear(time_dim, time_dim))
        self.init_conv = nn.Conv2d(1, dim, 3, padding=1)
        self.down = Block(dim, 2 * dim, time_dim)
        self.downsample = nn.Conv2d(2 * dim, 2 * dim, 4, 2, 1)
        self.mid = Block(2 * dim, 2 * dim, time_dim)
        self.upsample = nn.ConvTranspose2d(2 * dim, 2 * dim, 4, 2, 1)
        self.up = Block(4 * dim, dim, time_dim)
        self.final = nn.Conv2d(dim, 1, 1)

    def forward(self, x, time):
        t = self.time_mlp(time.to(self.final.weight.dtype).float()).to(x.dtype) \
            if self.final.weight.dtype == torch.float32 else self.time_mlp(time.double())
        h = self.down(self.init_conv(x), t)
        y = self.mid(self.downsample(h), t)
        return self.final(self.up(torch.cat((self.upsample(y), h), dim=1), t))


T = 6
betas = torch.linspace(1e-4, 0.2, T)
alphas = 1.0 - betas
alphas_cumprod = torch.cumprod(alphas, dim=0)
alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
posterior_variance = betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod)


def extract(a, t, x_shape):
    out = a.gather(-1, t)
    return out.reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


@torch.no_grad()
def sample(model, x, noises):
    for i in reversed(range(T)):
        t = torch.full((x.shape[0],), i, dtype=torch.long)
        noise = model(x, t)
        mean = (x - extract(betas, t, x.shape) / torch.sqrt(
            1.0 - extract(alphas_cumprod, t, x.shape)) * noise) / torch.sqrt(
            extract(alphas, t, x.shape))
        x = mean + torch.sqrt(extract(posterior_variance, t, x.shape)) * noises[i] if i else mean
    return x.clamp(-1, 1)


def build():
    return Denoiser()


def inputs(rng):
    return (rng.normal(size=(2, 1, 8, 8)), rng.normal(size=(2, 1, 8, 8)), rng.integers(0, T, 2),
            rng.normal(size=(T, 2, 1, 8, 8)))


def loss(model, x_start, noise, t, noises):
    x_noisy = (torch.sqrt(extract(alphas_cumprod, t, x_start.shape)) * x_start
               + torch.sqrt(1.0 - extract(alphas_cumprod, t, x_start.shape)) * noise)
    predicted = model(x_noisy, t)
    return F.smooth_l1_loss(noise, predicted) + sample(model, noise, noises).mean() * 0.1
