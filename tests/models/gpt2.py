"""GPT-2: A. Radford et al., "Language models are unsupervised multitask learners"."""

import torch
from torch import nn


class Conv1D(nn.Module):
    """A linear layer with its weight transposed, as OpenAI's checkpoints have it."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight = nn.Parameter(torch.empty(nx, nf))
        self.bias = nn.Parameter(torch.zeros(nf))
        nn.init.normal_(self.weight, std=0.2)

    def forward(self, x):
        size_out = x.size()[:-1] + (self.nf,)
        x = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return x.view(size_out)


class GPT2Attention(nn.Module):
    def __init__(self, n_embd, n_head, n_positions):
        super().__init__()
        self.register_buffer("bias", torch.tril(
            torch.ones((n_positions, n_positions), dtype=torch.bool)).view(
                1, 1, n_positions, n_positions), persistent=False)
        self.n_embd, self.n_head = n_embd, n_head
        self.c_attn = Conv1D(3 * n_embd, n_embd)
        self.c_proj = Conv1D(n_embd, n_embd)

    def split_heads(self, x):
        return x.view(x.size()[:-1] + (self.n_head, x.size(-1) // self.n_head)).permute(0, 2, 1, 3)

    def forward(self, x, layer_past=None):
        query, key, value = map(self.split_heads, self.c_attn(x).split(self.n_embd, dim=2))
        if layer_past is not None:
            key = torch.cat((layer_past[0], key), dim=-2)
            value = torch.cat((layer_past[1], value), dim=-2)
        weights = torch.matmul(query, key.transpose(-1, -2))
        weights = weights / torch.full([], value.size(-1) ** 0.5, dtype=weights.dtype)
        query_length, key_length = query.size(-2), key.size(-2)
        causal_mask = self.bias[:, :, key_length - query_length:key_length, :key_length]
        mask_value = torch.full([], torch.finfo(weights.dtype).min, dtype=weights.dtype)
        weights = torch.where(causal_mask, weights, mask_value)
        out = torch.matmul(nn.functional.softmax(weights, dim=-1), value)
        out = out.permute(0, 2, 1, 3).contiguous()
        return self.c_proj(out.view(out.size()[:-2] + (self.n_embd,))), (key, value)


class GPT2Block(nn.Module):
    def __init__(self, n_embd, n_head, n_positions):
        super().__init__()
        self.ln_1 = nn.LayerNorm(n_embd)
        self.attn = GPT2Attention(n_embd, n_head, n_positions)
        self.ln_2 = nn.LayerNorm(n_embd)
        self.c_fc = Conv1D(4 * n_embd, n_embd)
        self.c_proj = Conv1D(n_embd, 4 * n_embd)
        self.act = nn.GELU(approximate="tanh")

    def forward(self, x, layer_past=None):
        attn_output, present = self.attn(self.ln_1(x), layer_past)
        x = attn_output + x
        return x + self.c_proj(self.act(self.c_fc(self.ln_2(x)))), present


class GPT2LMHeadModel(nn.Module):
    def __init__(self, vocab=29, n_embd=16, n_head=4, n_layer=2, n_positions=16):
        super().__init__()
        self.wte = nn.Embedding(vocab, n_embd)
        self.wpe = nn.Embedding(n_positions, n_embd)
        self.h = nn.ModuleList([GPT2Block(n_embd, n_head, n_positions) for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, input_ids, past_key_values=None):
        input_shape = input_ids.size()
        past_length = 0 if past_key_values is None else past_key_values[0][0].size(-2)
        position_ids = torch.arange(past_length, input_shape[-1] + past_length, dtype=torch.long)
        position_ids = position_ids.unsqueeze(0).view(-1, input_shape[-1])
        x = self.wte(input_ids) + self.wpe(position_ids)
        presents = ()
        for i, block in enumerate(self.h):
            x, present = block(x, None if past_key_values is None else past_key_values[i])
            presents += (present,)
        return self.lm_head(self.ln_f(x)), presents


def build():
    return GPT2LMHeadModel()


def inputs(rng, batch, length):
    return (rng.integers(0, 29, (batch, length)),)


def grown(rng, batch, length):
    """One token after ``length`` others, whose keys and values are arguments."""
    past = [[rng.normal(size=(batch, 4, length, 4)).astype("float32") for _ in range(2)]
            for _ in range(2)]
    return rng.integers(0, 29, (batch, 1)), past
