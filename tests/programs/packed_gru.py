"""A classifier of names of different lengths: packed sequences through a bidirectional GRU."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence


class RNNClassifier(nn.Module):
    def __init__(self, input_size, hidden_size, output_size, n_layers=2, bidirectional=True):
        super().__init__()
        self.hidden_size, self.n_layers = hidden_size, n_layers
        self.n_directions = int(bidirectional) + 1
        self.embedding = nn.Embedding(input_size, hidden_size, padding_idx=0)
        self.gru = nn.GRU(hidden_size, hidden_size, n_layers, bidirectional=bidirectional)
        self.fc = nn.Linear(hidden_size * self.n_directions, output_size)

    def forward(self, input, seq_lengths):
        batch_size = input.size(1)
        hidden = torch.zeros(self.n_layers * self.n_directions, batch_size, self.hidden_size,
                             dtype=self.fc.weight.dtype)
        packed = pack_padded_sequence(self.embedding(input), seq_lengths, enforce_sorted=False)
        output, hidden = self.gru(packed, hidden)
        padded, lengths = pad_packed_sequence(output)
        last = torch.cat([hidden[-1], hidden[-2]], dim=1)
        mean = padded.sum(0) / lengths.unsqueeze(1).to(padded.dtype)
        return self.fc(last) + self.fc(mean)


def build():
    return RNNClassifier(9, 5, 4)


def inputs(rng):
    return tuple(rng.integers(1, 9, n) for n in (3, 6, 1, 4)) + (rng.integers(0, 4, 4),)


def loss(model, *names_and_labels):
    *names, labels = names_and_labels
    lengths = torch.tensor([len(name) for name in names])
    return F.cross_entropy(model(pad_sequence(list(names)), lengths), labels)
