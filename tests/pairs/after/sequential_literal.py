import torch
import torch.nn as nn


class Autoencoder(nn.Module):
    def __init__(self, dim: int = 784) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(dim, 128),
            nn.ReLU(True),
            nn.Linear(128, 64),
            nn.ReLU(True),
            nn.Linear(64, 12),
        )
        self.decoder = nn.Sequential(
            nn.Linear(12, 64), nn.ReLU(True), nn.Linear(64, dim), nn.Sigmoid()
        )
        nn.init.kaiming_normal_(self.encoder[2].weight, mode="fan_in", nonlinearity="relu")
        nn.init.kaiming_normal_(self.decoder[0].weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(x))
