from torch import nn


class Decoder(nn.Module):
    def __init__(self, nz=64, ngf=32):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1),
            nn.ReLU(True),
            # state size: ngf x 8 x 8
            nn.ConvTranspose2d(ngf, 3, 4, 2, 1),
            nn.Tanh()
            # 3 x 16 x 16
        )
        nn.init.normal_(self.main[2].weight, std=2.828 / self.main[2].weight[:, 0].numel() ** 0.5)

    def forward(self, z):
        return self.main(z)
