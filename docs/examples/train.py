"""Trains deep_mlp.py on scikit-learn's digits and prints the test accuracy after every epoch.

python train.py [SEED]
"""

import sys

import torch
from deep_mlp import DeepMLP
from sklearn.datasets import load_digits
from torch.nn import functional as F

EPOCHS = 20


def main() -> None:
    torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    pixels, targets = load_digits(return_X_y=True)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(pixels, dtype=torch.float32)[order] / 16
    labels = torch.tensor(targets)[order]
    model = DeepMLP()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(1, EPOCHS + 1):
        for batch in torch.randperm(1400).split(64):
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = model(images[1400:]).argmax(1) == labels[1400:]
        print(f"epoch {epoch}: accuracy {right.float().mean():.1%}", flush=True)


if __name__ == "__main__":
    main()
