"""One step of both players of a GAN: A. Radford et al., "Unsupervised representation ..."."""

import torch
import torch.nn as nn
import torch.optim as optim


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        torch.nn.init.normal_(m.weight, 0.0, 0.2)
    elif classname.find("BatchNorm") != -1:
        torch.nn.init.normal_(m.weight, 1.0, 0.02)
        torch.nn.init.zeros_(m.bias)


def generator(nz=5, ngf=4):
    return nn.Sequential(
        nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False), nn.BatchNorm2d(ngf * 2),
        nn.ReLU(True), nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
        nn.BatchNorm2d(ngf), nn.ReLU(True), nn.ConvTranspose2d(ngf, 3, 4, 2, 1, bias=False),
        nn.Tanh())


def discriminator(ndf=4):
    return nn.Sequential(
        nn.Conv2d(3, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2),
        nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
        nn.Sigmoid(), nn.Flatten(0))


def build():
    model = nn.ModuleDict({"G": generator(), "D": discriminator()})
    model.apply(weights_init)
    return model


def inputs(rng):
    return rng.uniform(-1, 1, (3, 3, 16, 16)), rng.normal(size=(3, 5, 1, 1))


def loss(model, real, noise):
    netG, netD = model["G"], model["D"]
    criterion = nn.BCELoss()
    optimizerD = optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
    label = torch.full((real.size(0),), 1.0, dtype=real.dtype)
    fake = netG(noise)
    errD_real = criterion(netD(real).view(-1), label)
    errD_real.backward()
    label.fill_(0.0)
    errD_fake = criterion(netD(fake.detach()).view(-1), label)
    errD_fake.backward()
    optimizerD.step()
    optimizerD.zero_grad()
    netG.zero_grad()
    label.fill_(1.0)
    return criterion(netD(fake).view(-1), label) + errD_real.detach() + errD_fake.detach()
