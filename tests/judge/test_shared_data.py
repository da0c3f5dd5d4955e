"""Networks that read the same data do not count for each other."""

TWO = """
def mlp(depth):
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(64, 64), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 4))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = mlp(2)
        self.critic = mlp(DEPTH)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)

    def forward(self, x):
        return self.actor(x), self.critic(x)
"""


def test_a_deep_network_beside_a_shallow_one(judge):
    report = judge(TWO.replace("DEPTH", "9"))
    assert set(report.codes) == {f"critic.{index}.weight" for index in range(2, 18, 2)}
    for finding in report.findings:
        assert "signal at critic[18]" in finding.message


def test_two_shallow_networks_are_silent(judge):
    assert judge(TWO.replace("DEPTH", "2")).codes == {}
