"""The main job for Lightning's command line: `python lightning_digits.py fit -c lightning.yaml`.

Needs `lightning`, `jsonargparse[signatures]`, `torchmetrics` and `scikit-learn`.
"""

from __future__ import annotations

import torch
from lightning import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import AUROC, Accuracy


class Digits(LightningDataModule):
    """The handwritten digits 0 and 1, as tftrain's config splits them."""

    def __init__(self, batch_size: int = 32) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        del stage
        x, y = load_digits(return_X_y=True)
        x, y = x[y < 2], y[y < 2]  # noqa: PLR2004 - the digits 0 and 1
        rest_x, _, rest_y, _ = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
        self.rows = train_test_split(
            rest_x, rest_y, test_size=0.25, stratify=rest_y, random_state=0
        )

    def _loader(self, place: int, *, shuffle: bool) -> DataLoader:
        tensors = [
            torch.tensor(self.rows[number], dtype=torch.float32) for number in (place, place + 2)
        ]
        return DataLoader(TensorDataset(*tensors), self.batch_size, shuffle=shuffle)

    def train_dataloader(self) -> DataLoader:
        return self._loader(0, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(1, shuffle=False)


class Network(LightningModule):
    """The course network, with the metrics of tftrain's config."""

    def __init__(self, learning_rate: float = 0.001) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, 25),
            torch.nn.Sigmoid(),
            torch.nn.Linear(25, 15),
            torch.nn.Sigmoid(),
            torch.nn.Linear(15, 1),
            torch.nn.Sigmoid(),
        )
        self.metrics = torch.nn.ModuleDict(
            {"accuracy": Accuracy(task="binary"), "auc": AUROC(task="binary")}
        )

    def _loss(self, batch: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = batch
        chances = self.layers(x)[:, 0]
        return torch.nn.functional.binary_cross_entropy(chances, y), chances

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        loss, _ = self._loss(batch)
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[torch.Tensor]) -> None:
        loss, chances = self._loss(batch)
        self.log("val_loss", loss, prog_bar=True)
        for name, metric in self.metrics.items():
            metric(chances, batch[1].int())
            self.log(f"val_{name}", metric, on_epoch=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=self.learning_rate)


if __name__ == "__main__":
    LightningCLI(Network, Digits, save_config_kwargs={"overwrite": True})
