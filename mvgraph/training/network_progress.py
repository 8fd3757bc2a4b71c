"""How far the training of a plain network has come, in memory and on disk.

Weights are written under a name of their own epoch, then one JSON file that names them is put in place: whenever the
process is killed, the JSON names files that are whole. Parts that do not learn are not written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mvgraph.data.atomic import atomic_path
from mvgraph.data.integrity import first_damaged, set_aside, sums_of
from mvgraph.data.safetensors import read_tensors, write_tensors
from mvgraph.errors import UserError

FORMAT = 1
_NOTE = "progress.json"


@dataclass
class Progress:
    """Epochs done, the best one so far, and the curves.

    Args:
        epoch: the last finished epoch, 0 before the first.
        lr: the learning rate of the next epoch.
        best_epoch, best_loss: by validation log-loss; without validation rows the last epoch.
        halved_epoch: the epoch from which patience for the next halving counts.
        seconds: spent so far, interrupted attempts included.
    """

    lr: float
    epoch: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    halved_epoch: int = 0
    seconds: float = 0.0
    curves: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figures: Mapping[str, float]) -> None:
        """Add one value to each curve named."""
        for name, value in figures.items():
            self.curves.setdefault(name, []).append(float(value))


def learning_state(network: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers that training may change: everything except frozen parameters."""
    frozen = {name for name, p in network.named_parameters() if not p.requires_grad}
    return {name: value for name, value in network.state_dict().items() if name not in frozen}


def identity(network: nn.Module, settings: Mapping[str, Any]) -> str:
    """SHA-256 of what must be the same for training to be continued: settings, names and shapes."""
    shapes = {name: list(value.shape) for name, value in learning_state(network).items()}
    text = json.dumps([FORMAT, settings, shapes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Checkpoints:
    """The files of one training.

    Args:
        folder: made if need be; None keeps everything in memory.
        key: `identity` of the training.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder, self.key = folder, key
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def load(
        self, network: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[Progress, dict[str, Tensor]] | None:
        """Put network and optimiser where the last finished epoch left them; the best weights beside.

        None when there is nothing to continue, or it is damaged: it is then set aside, and training begins anew.

        Raises:
            UserError: the folder holds a training of other settings, or its note is damaged.
        """
        if self.folder is None or not (self.folder / _NOTE).is_file():
            return None
        try:
            content = json.loads((self.folder / _NOTE).read_text(encoding="utf-8"))
            if content["identity"] != self.key:
                raise UserError(
                    f"{str(self.folder)!r} holds a training of other settings; give another folder or remove it."
                )
            progress = Progress(**content["progress"])
            now, best = content["weights"], content["best"]
            sums = dict(content.get("sha256", {}))
        except UserError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{str(self.folder / _NOTE)!r} is damaged ({error}); remove it.") from None
        if (damaged := first_damaged(self.folder, sums)) is not None:
            (self.folder / _NOTE).unlink()
            if (self.folder / damaged).is_file():
                set_aside(self.folder / damaged, f"The checkpoint {damaged} of a training")
            return None
        state = read_tensors(self.folder / now)
        network.load_state_dict(_part(state, "network/"), strict=False)
        _restore(optimiser, _part(state, "optimiser/"))
        return progress, read_tensors(self.folder / best)

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        best: Mapping[str, Tensor],
    ) -> None:
        """Write one finished epoch, then remove the files that it replaces."""
        if self.folder is None:
            return
        names = {
            "weights": f"epoch-{progress.epoch:06d}.safetensors",
            "best": f"best-{progress.best_epoch:06d}.safetensors",
        }
        state = {f"network/{name}": value for name, value in learning_state(network).items()}
        state |= {f"optimiser/{name}": value for name, value in _moments(optimiser).items()}
        write_tensors(state, self.folder / names["weights"])
        if not (self.folder / names["best"]).is_file():
            write_tensors(best, self.folder / names["best"])
        content = {
            "identity": self.key,
            "progress": asdict(progress),
            **names,
            "sha256": sums_of(self.folder, names.values()),
        }
        with atomic_path(self.folder / _NOTE) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        for path in self.folder.glob("*.safetensors*"):
            if path.name not in names.values():
                path.unlink()


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's step and moments by parameter number."""
    return {
        f"{number}/{name}": value
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }


def _restore(optimiser: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    found: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        number, _, name = key.partition("/")
        found.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": found, "param_groups": optimiser.state_dict()["param_groups"]})
