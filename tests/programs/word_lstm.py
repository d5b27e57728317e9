"""A language model of words: two LSTM layers, tied decoder, truncated backpropagation."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.0, tie_weights=True):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.ntoken, self.nhid, self.nlayers = ntoken, nhid, nlayers

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid),
                weight.new_zeros(self.nlayers, bsz, self.nhid))


def build():
    return RNNModel(23, 8, 8, 2)


def inputs(rng):
    return rng.integers(0, 23, (6, 3)), rng.integers(0, 23, (6, 3))


def loss(model, tokens, targets):
    hidden = model.init_hidden(tokens.size(1))
    total = 0.0
    for half in (slice(0, 3), slice(3, 6)):
        hidden = tuple(h.detach() for h in hidden)
        output, hidden = model(tokens[half], hidden)
        total = total + F.nll_loss(output, targets[half].reshape(-1))
    total.backward(retain_graph=True)
    nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    clipped = sum((p.grad ** 2).sum() for p in model.parameters())
    model.zero_grad()
    return total + clipped.detach()
