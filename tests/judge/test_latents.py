"""Latents of variational autoencoders and policies: what follows their mean and their variance."""

import pytest

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.enter = nn.Linear(64, 32)
            self.mean, self.log_variance = nn.Linear(32, 8), nn.Linear(32, 8)
            self.hidden, self.out = nn.Linear(8, 32), nn.Linear(32, 64)

        def draw(self, mean, log_variance):
            std = torch.exp(0.5 * log_variance)
            return mean + std * torch.randn_like(std)

        def forward(self, x):
            h = torch.tanh(self.enter(x))
            mean, log_variance = self.mean(h), self.log_variance(h)
            latent = {latent}
            return torch.sigmoid(self.out(F.relu(self.hidden(latent))))
"""
LATENTS = (
    "self.draw(mean, log_variance)",
    "mean + torch.randn_like(mean) * torch.exp(log_variance / 2)",
    "mean + log_variance.mul(0.5).exp_() * torch.empty_like(mean).normal_()",
    "mean + (F.softplus(log_variance) + 1e-5) * torch.randn(mean.shape)",
    "torch.distributions.Normal(mean, (0.5 * log_variance).exp()).rsample()",
)


@pytest.mark.parametrize("latent", LATENTS)
def test_the_signal_goes_on_through_a_draw(judge, latent):
    found = judge(NET.format(latent=latent))
    assert found.codes == {"hidden.weight": "INIT101"}
    for name in ("mean.weight", "log_variance.weight"):
        assert found.layers[name].following.activation in ("linear", "exp", "softplus", "output")
