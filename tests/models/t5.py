"""T5: C. Raffel et al., "Exploring the limits of transfer learning"."""

import math

import torch
from torch import nn


class T5LayerNorm(nn.Module):
    def __init__(self, hidden_size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.variance_epsilon = eps

    def forward(self, hidden_states):
        variance = hidden_states.to(torch.float32).pow(2).mean(-1, keepdim=True)
        return self.weight * (hidden_states * torch.rsqrt(variance + self.variance_epsilon))


class T5Attention(nn.Module):
    def __init__(self, d_model, n_heads, is_decoder=False, has_relative_attention_bias=False):
        super().__init__()
        self.is_decoder, self.n_heads, self.d_kv = is_decoder, n_heads, d_model // n_heads
        self.num_buckets, self.max_distance = 8, 20
        self.q = nn.Linear(d_model, d_model, bias=False)
        self.k = nn.Linear(d_model, d_model, bias=False)
        self.v = nn.Linear(d_model, d_model, bias=False)
        self.o = nn.Linear(d_model, d_model, bias=False)
        if has_relative_attention_bias:
            self.relative_attention_bias = nn.Embedding(self.num_buckets, n_heads)

    @staticmethod
    def _relative_position_bucket(relative_position, bidirectional, num_buckets, max_distance):
        relative_buckets = 0
        if bidirectional:
            num_buckets //= 2
            relative_buckets += (relative_position > 0).to(torch.long) * num_buckets
            relative_position = torch.abs(relative_position)
        else:
            relative_position = -torch.min(relative_position, torch.zeros_like(relative_position))
        max_exact = num_buckets // 2
        is_small = relative_position < max_exact
        relative_position_if_large = max_exact + (
            torch.log(relative_position.float() / max_exact)
            / math.log(max_distance / max_exact)
            * (num_buckets - max_exact)
        ).to(torch.long)
        relative_position_if_large = torch.min(
            relative_position_if_large,
            torch.full_like(relative_position_if_large, num_buckets - 1))
        relative_buckets += torch.where(is_small, relative_position, relative_position_if_large)
        return relative_buckets

    def compute_bias(self, query_length, key_length):
        context_position = torch.arange(query_length, dtype=torch.long)[:, None]
        memory_position = torch.arange(key_length, dtype=torch.long)[None, :]
        bucket = self._relative_position_bucket(
            memory_position - context_position, bidirectional=not self.is_decoder,
            num_buckets=self.num_buckets, max_distance=self.max_distance)
        return self.relative_attention_bias(bucket).permute([2, 0, 1]).unsqueeze(0)

    def forward(self, x, kv=None, mask=None, position_bias=None):
        batch_size, seq_length = x.shape[:2]
        kv = x if kv is None else kv

        def shape(states):
            return states.view(batch_size, -1, self.n_heads, self.d_kv).transpose(1, 2)

        q, k, v = shape(self.q(x)), shape(self.k(kv)), shape(self.v(kv))
        scores = torch.matmul(q, k.transpose(3, 2))
        if position_bias is None:
            if hasattr(self, "relative_attention_bias"):
                position_bias = self.compute_bias(seq_length, kv.shape[1])
            else:
                position_bias = torch.zeros((1, self.n_heads, seq_length, kv.shape[1]),
                                            dtype=scores.dtype)
            if mask is not None:
                position_bias = position_bias + mask
        scores += position_bias
        weights = nn.functional.softmax(scores.float(), dim=-1).type_as(scores)
        out = torch.matmul(weights, v).transpose(1, 2).contiguous().view(
            batch_size, -1, self.n_heads * self.d_kv)
        return self.o(out), position_bias


class T5Block(nn.Module):
    def __init__(self, d_model, n_heads, is_decoder, first):
        super().__init__()
        self.attention = T5Attention(d_model, n_heads, is_decoder, first)
        self.norm = T5LayerNorm(d_model)
        if is_decoder:
            self.cross = T5Attention(d_model, n_heads, is_decoder)
            self.cross_norm = T5LayerNorm(d_model)
        self.ff_norm = T5LayerNorm(d_model)
        self.wi = nn.Linear(d_model, 2 * d_model, bias=False)
        self.wo = nn.Linear(2 * d_model, d_model, bias=False)

    def forward(self, x, mask, bias, memory=None, memory_mask=None):
        y, bias = self.attention(self.norm(x), mask=mask, position_bias=bias)
        x = x + y
        if memory is not None:
            x = x + self.cross(self.cross_norm(x), kv=memory, mask=memory_mask)[0]
        return x + self.wo(nn.functional.relu(self.wi(self.ff_norm(x)))), bias


class T5(nn.Module):
    def __init__(self, vocab=33, d_model=16, n_heads=4, layers=2):
        super().__init__()
        self.shared = nn.Embedding(vocab, d_model)
        self.encoder = nn.ModuleList([T5Block(d_model, n_heads, False, i == 0)
                                      for i in range(layers)])
        self.decoder = nn.ModuleList([T5Block(d_model, n_heads, True, i == 0)
                                      for i in range(layers)])
        self.encoder_norm, self.decoder_norm = T5LayerNorm(d_model), T5LayerNorm(d_model)
        self.lm_scale = d_model ** -0.5

    def _shift_right(self, labels):
        shifted = labels.new_zeros(labels.shape)
        shifted[..., 1:] = labels[..., :-1].clone()
        shifted[..., 0] = 0
        shifted.masked_fill_(shifted == -100, 0)
        return shifted

    def forward(self, input_ids, attention_mask, labels):
        least = torch.finfo(torch.float32).min
        mask = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * least
        x, bias = self.shared(input_ids), None
        for block in self.encoder:
            x, bias = block(x, mask, bias)
        memory = self.encoder_norm(x)
        length = labels.shape[1]
        ids = torch.arange(length)
        causal = (ids[None, :] > ids[:, None]).to(torch.float32)[None, None] * least
        y, bias = self.shared(self._shift_right(labels)), None
        for block in self.decoder:
            y, bias = block(y, causal, bias, memory, mask)
        logits = torch.matmul(self.decoder_norm(y) * self.lm_scale, self.shared.weight.T)
        loss = nn.functional.cross_entropy(logits.view(-1, logits.size(-1)), labels.view(-1),
                                           ignore_index=-100)
        return loss, logits


def build():
    return T5()


def inputs(rng, batch, length):
    labels = rng.integers(0, 33, (batch, length - 2))
    labels[:, 1:][rng.uniform(size=(batch, length - 3)) < 0.2] = -100
    mask = (rng.uniform(size=(batch, length)) < 0.7).astype("int64")
    mask[:, 0] = 1
    return rng.integers(0, 33, (batch, length)), mask, labels
