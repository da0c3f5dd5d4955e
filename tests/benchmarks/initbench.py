"""Real faults of released packages: are they found in the old version, and not in the new one?

transformers 4.52.4 against 4.57.1: between them the hooks `_init_weights` of 65 classes (folders a
to m) changed. Both hooks of each were read; of the 65, 27 repaired faults, which are the pairs
below: parameters that a hook left out, and values that contradict how forward uses them. The other
changes only say the same in other words.

A few faults of other packages come from their issue trackers (`OTHERS`).

The wheels are downloaded when this runs; nothing of them is kept. With `--beside COMMAND` another
linter gets the old files, too: `--beside "torchfix --select=ALL"`.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from initlint import api

OLD, NEW = "4.52.4", "4.57.1"


class Pair(NamedTuple):
    """A fault: the model's folder, the class that holds the parameter, its name, and the rule."""

    folder: str
    holder: str
    parameter: str
    code: str


# folder: the rule, then class.parameter of each fault.
FAULTS = {
    "align": "INIT014 BatchNorm2d.weight AlignModel.temperature",
    "autoformer": "INIT014 LayerNorm.weight",
    "bridgetower": "INIT014 BridgeTowerMLMHead.bias MultiheadAttention.in_proj_bias "
    "BridgeTowerForContrastiveLearning.logit_scale",
    "bros": "INIT014 BrosRelationExtractor.dummy_node",
    "clap": "INIT014 BatchNorm2d.weight ClapAudioSelfAttention.relative_position_bias_table "
    "INIT205 ClapModel.logit_scale_a ClapModel.logit_scale_t",
    "clvp": "INIT014 ClvpRMSNorm.weight GroupNorm.weight "
    "ClvpModelForConditionalGeneration.logit_scale",
    "d_fine": "INIT014 LayerNorm.weight DFineDecoder.reg_scale DFineDecoder.up",
    "dab_detr": "INIT014 LayerNorm.weight PReLU.weight",
    "dac": "INIT014 Snake1d.alpha ConvTranspose1d.weight Embedding.weight",
    "efficientnet": "INIT014 BatchNorm2d.weight",
    "encodec": "INIT014 ConvTranspose1d.weight",
    "falcon_mamba": "INIT014 FalconMambaMixer.A_log FalconMambaMixer.D Conv1d.weight Linear.weight "
    "FalconMambaRMSNorm.weight",
    "fastspeech2_conformer": "INIT014 ConvTranspose1d.weight Linear.weight BatchNorm1d.weight",
    "gemma": "INIT021 GemmaRMSNorm.weight",
    "gemma2": "INIT021 Gemma2RMSNorm.weight",
    "gemma3": "INIT021 Gemma3RMSNorm.weight",
    "grounding_dino": "INIT014 LayerNorm.weight GroupNorm.weight "
    "GroundingDinoFusionLayer.vision_param GroundingDinoFusionLayer.text_param",
    "informer": "INIT014 BatchNorm1d.weight LayerNorm.weight",
    "internvl": "INIT014 InternVLVisionRMSNorm.weight",
    "kosmos2": "INIT014 LayerNorm.weight Kosmos2ImageToTextProjection.latent_query",
    "mamba": "INIT014 MambaMixer.A_log MambaMixer.D Conv1d.weight Linear.weight "
    "MambaRMSNorm.weight",
    "mamba2": "INIT014 Mamba2Mixer.A_log Mamba2Mixer.D Conv1d.weight Linear.weight "
    "Mamba2RMSNorm.weight MambaRMSNormGated.weight",
    "mask2former": "INIT014 LayerNorm.weight GroupNorm.weight MultiheadAttention.in_proj_bias",
    "mobilevit": "INIT014 BatchNorm2d.weight",
    "mobilevitv2": "INIT014 BatchNorm2d.weight GroupNorm.weight",
    "musicgen": "INIT014 LayerNorm.weight",
    "musicgen_melody": "INIT014 LayerNorm.weight",
}
CODES = ("INIT014", "INIT021", "INIT205")


class Release(NamedTuple):
    """A fault of another package: the file and the line's code that have it, and two versions."""

    package: str
    old: str
    new: str
    file: str
    code: str
    what: str
    python: str


OTHERS = (
    # pytorch/vision issue 2326, mended in 0.7: the loop over children() saw two ModuleLists.
    Release(
        "torchvision",
        "0.6.1",
        "0.12.0",
        "torchvision/ops/feature_pyramid_network.py",
        "INIT003",
        "all convolutions of FeaturePyramidNetwork",
        "3.8",
    ),
)


def pairs() -> Iterator[Pair]:
    """All faults, each with the rule that is to find it."""
    for folder, text in FAULTS.items():
        code = ""
        for word in text.split():
            if word.startswith("INIT"):
                code = word
            else:
                yield Pair(folder, *word.split("."), code)


def unpacked(version: str, folder: Path) -> Path:
    """The models of one version of transformers."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    subprocess.run([*pip, f"transformers=={version}"], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder / "transformers" / "models"


def fetched(package: str, version: str, python: str, folder: Path) -> Path:
    """One version of a package, as it was built for an older Python."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    old = ["--only-binary", ":all:", "--python-version", python]
    subprocess.run([*pip, *old, f"{package}=={version}"], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def others(scratch: Path) -> None:
    """Print of every fault of another package whether it is found in the old and in the new one."""
    for fault in OTHERS:
        counts = []
        for version, python in ((fault.old, fault.python), (fault.new, "3.10")):
            name = f"{fault.package}-{version}"
            file = fetched(fault.package, version, python, scratch / name) / fault.file
            report = api.check_all([str(file)], api.Options(codes=frozenset({fault.code})))
            counts.append(len(report.findings))
        print(
            f"{fault.package} {fault.old}: {fault.what}: {fault.code} {counts[0]} findings,", end=""
        )
        print(f" {counts[1]} in {fault.new}")


def beside(command: str, models: Path) -> None:
    """Print what another linter says of the old files, by its code."""
    files = [
        str(file)
        for folder in FAULTS
        for file in sorted((models / folder).glob("modeling_*.py"))
        if not file.name.startswith(("modeling_tf", "modeling_flax"))
    ]
    run = subprocess.run([*shlex.split(command), *files], capture_output=True, text=True)
    codes = Counter(re.findall(r"\b[A-Z]{1,6}\d{3,4}\b", run.stdout + run.stderr))
    about = {code: n for code, n in codes.items() if code.startswith(("TOR", "INIT"))}
    print(f"{command}: {codes.total()} messages; of rules about torch: {about or 'none'}")


def found(models: Path, folder: str) -> set[Pair]:
    """What the rules report of one folder's models; `modular_*.py` are templates, and never run."""
    files = sorted(map(str, (models / folder).glob("modeling_*.py")))
    known = [f for f in files if not Path(f).name.startswith(("modeling_tf", "modeling_flax"))]
    report = api.check_all(known, api.Options(codes=frozenset(CODES), parameters=True))
    holders = {(p.model, p.name): p.holder for p in report.parameters}
    return {
        Pair(folder, holders[f.model, name], name.rpartition(".")[2], f.code)
        for f in report.findings
        for name in {f.parameter, *f.parameters}
        if (f.model, name) in holders
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", nargs="*", help="unpacked packages: old new")
    parser.add_argument("--beside", nargs="*", default=[], help="commands of other linters")
    arguments = parser.parse_args()
    given = arguments.folders
    with tempfile.TemporaryDirectory() as scratch:
        old, new = (
            [Path(folder) / "transformers" / "models" for folder in given]
            if given
            else [unpacked(v, Path(scratch) / v) for v in (OLD, NEW)]
        )
        hits = left = other = 0
        print(
            f"{'model':24} {'faults':>6} {'found':>6} {'in new':>7}  not found, or still reported"
        )
        for folder in FAULTS:
            wanted = {pair for pair in pairs() if pair.folder == folder}
            before, after = found(old, folder), found(new, folder)
            missed, still = wanted - before, wanted & after
            names = [f"{p.holder}.{p.parameter}" for p in sorted(missed)]
            names += [f"still {p.holder}.{p.parameter}" for p in sorted(still)]
            counts = f"{len(wanted):6} {len(wanted - missed):6} {len(still):7}"
            print(f"{folder:24} {counts}  {', '.join(names)}")
            hits, left = hits + len(wanted - missed), left + len(still)
            other += len(after - wanted)
        total = len(list(pairs()))
        print(f"found {hits} of {total} in {OLD} ({hits / total:.0%}), {left} of them in {NEW}")
        print(f"{other} more are reported in {NEW}, in the same folders")
        others(Path(scratch))
        for command in arguments.beside:
            beside(command, old)


if __name__ == "__main__":
    main()
