"""Slow, readable float64 references for the fusion tests: dense matrices, equations as printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mvgraph.fusion import NetworkMethod
from mvgraph.graph import CSR, MultiViewGraph
from mvgraph.graph.propagation import Propagation

WIDTHS = {"audio": 5, "image": 3, "text": 4, "video": 6}
N_CLASSES = 3
#: What float64 rounding may leave.
TOLERANCE = 1e-9

Weights = dict[str, Tensor]
Reference = Callable[[Weights], Tensor]


@dataclass(frozen=True)
class Problem:
    """Random views, sparse random graphs, and some labelled rows.

    Shapes:
        features[v]: (N, d_v) float64; adjacency[v]: (N, N) float64; rows: (R,); targets: (R,).
    """

    features: dict[str, Tensor]
    adjacency: dict[str, Tensor]
    rows: Tensor
    targets: Tensor

    @property
    def dims(self) -> dict[str, int]:
        return {view: x.shape[1] for view, x in self.features.items()}

    @property
    def graph(self) -> MultiViewGraph:
        return MultiViewGraph({view: sparse(a) for view, a in self.adjacency.items()})

    @property
    def side_by_side(self) -> Tensor:
        return torch.cat([self.features[view] for view in sorted(self.features)], dim=1)

    def laplacians(self) -> list[Tensor]:
        """L_v of every view in the order of names."""
        return [laplacian(self.adjacency[view]) for view in sorted(self.adjacency)]


def make_problem(n_views: int = 2, n: int = 17, seed: int = 0, directed: bool = False) -> Problem:
    """Sparse enough that the receptive field of three rows leaves nodes out."""
    generator = torch.Generator().manual_seed(1000 * seed + n_views)
    names = list(WIDTHS)[:n_views]
    features, adjacency = {}, {}
    for view in names:
        features[view] = torch.randn(n, WIDTHS[view], generator=generator, dtype=torch.float64)
        a = torch.rand(n, n, generator=generator, dtype=torch.float64)
        a = a * (torch.rand(n, n, generator=generator) < 1.2 / n)
        a.fill_diagonal_(0.0)
        adjacency[view] = a if directed else torch.maximum(a, a.T)
    rows = torch.randperm(n, generator=generator)[:3].sort().values
    targets = torch.randint(N_CLASSES, (3,), generator=generator)
    return Problem(features, adjacency, rows, targets)


def sparse(dense: Tensor) -> CSR:
    rows, columns = dense.nonzero(as_tuple=True)
    return CSR.from_edges(rows, columns, dense[rows, columns], tuple(dense.shape))


def laplacian(a: Tensor) -> Tensor:
    """D~^-1/2 (A + I) D~^-1/2 with D~ the row sums of A + I."""
    looped = a + torch.eye(len(a), dtype=a.dtype)
    scale = looped.sum(dim=1).pow(-0.5).diag()
    return scale @ looped @ scale


def randomise(model: NetworkMethod, seed: int = 0) -> NetworkMethod:
    """Every parameter random, zero-initialised ones (biases, theta) too; float64, dropout off."""
    generator = torch.Generator().manual_seed(seed)
    model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def propagation(model: NetworkMethod, problem: Problem, restricted: bool = False) -> Propagation:
    p = Propagation(model.prepare(problem.graph), problem.features)
    if restricted:
        p = p.restricted(problem.rows, model.n_layers, joint=model.tags.mixes_views)
    return p


def compare(
    model: NetworkMethod,
    reference: Reference,
    problem: Problem,
    restricted: bool,
    tolerance: float = TOLERANCE,
) -> None:
    """Logits of the labelled rows and the gradient of every parameter equal those of the reference."""
    weights = {name: w.detach().clone().requires_grad_() for name, w in model.named_parameters()}
    expected = reference(weights)[problem.rows]
    _loss(expected, problem).backward()

    found = model(propagation(model, problem, restricted))
    if not restricted:
        found = found[problem.rows]
    _loss(found, problem).backward()

    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    for name, parameter in model.named_parameters():
        gradient = weights[name].grad
        if parameter.grad is None:
            assert gradient is None or not gradient.any(), f"{name} has no gradient"
            continue
        assert gradient is not None, name
        torch.testing.assert_close(
            parameter.grad, gradient, rtol=tolerance, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}"
        )


def _loss(logits: Tensor, problem: Problem) -> Tensor:
    return -torch.log_softmax(logits, dim=1)[range(len(problem.rows)), problem.targets].mean()
