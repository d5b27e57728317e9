"""Translation with attention: D. Bahdanau et al., "Neural machine translation by jointly ..."."""

import torch
import torch.nn as nn
import torch.nn.functional as F

SOS = 0


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, dropout_p=0.0):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input):
        return self.gru(self.dropout(self.embedding(input)))


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.Wa = nn.Linear(hidden_size, hidden_size)
        self.Ua = nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        weights = F.softmax(scores.squeeze(2).unsqueeze(1), dim=-1)
        return torch.bmm(weights, keys), weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, dropout_p=0.0):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, encoder_outputs, hidden, target=None, steps=4):
        batch = encoder_outputs.size(0)
        token = torch.empty(batch, 1, dtype=torch.long, device=encoder_outputs.device).fill_(SOS)
        outputs, attentions = [], []
        for i in range(steps):
            embedded = self.dropout(self.embedding(token))
            context, weights = self.attention(hidden.permute(1, 0, 2), encoder_outputs)
            output, hidden = self.gru(torch.cat((embedded, context), dim=2), hidden)
            output = self.out(output)
            outputs.append(output)
            attentions.append(weights)
            if target is not None:
                token = target[:, i].unsqueeze(1)
            else:
                _, topi = output.topk(1)
                token = topi.squeeze(-1).detach()
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1), torch.cat(attentions, dim=1)


def build():
    return nn.ModuleDict({"encoder": EncoderRNN(11, 6), "decoder": AttnDecoderRNN(6, 13)})


def inputs(rng):
    return rng.integers(0, 11, (3, 5)), rng.integers(0, 13, (3, 4))


def loss(model, source, target):
    outputs, hidden = model["encoder"](source)
    forced, _ = model["decoder"](outputs, hidden, target)
    free, attention = model["decoder"](outputs, hidden)
    criterion = nn.NLLLoss()
    return (criterion(forced.view(-1, forced.size(-1)), target.view(-1))
            + criterion(free.reshape(-1, 13), target.flatten()) + attention.var())
