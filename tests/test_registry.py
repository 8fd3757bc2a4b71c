"""The resolver: names, near misses, references, entry points of other packages, and methods taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest

import mvgraph as mv
from mvgraph.errors import UserError
from mvgraph.fusion.dm_gcn import DMGCN
from mvgraph.fusion.pyg_conv import PyGFusion
from mvgraph.fusion.single_gcn import SingleGCN
from mvgraph.registry import Resolver, controls, datasets, import_reference, methods, resolve_method

OURS = {
    "single-gcn", "mean-gcn", "dm-gcn", "at-gcn", "pyg",
    "concat-mlp", "concat-logreg", "late-fusion", "best-view", "label-spreading",
}  # fmt: skip


def test_names_are_sorted_and_complete() -> None:
    assert methods.names() == sorted(methods.names())
    assert set(methods.names()) >= OURS
    assert set(controls.names()) >= {"identity", "shuffled"}
    assert "mfeat" in datasets
    assert "nothing" not in datasets


@pytest.mark.parametrize("resolver", [methods, datasets, controls], ids=lambda r: r.kind)
def test_everything_registered_can_be_loaded_and_knows_its_name(resolver: Resolver) -> None:
    for entry in resolver:
        found = resolver.get(entry.name)
        assert getattr(found, "name", entry.name) == entry.name
        assert resolver.origin(entry.name) == entry.origin


def test_a_near_miss_is_offered() -> None:
    with pytest.raises(UserError, match="Unknown method 'dm_gcn'; did you mean dm-gcn"):
        methods.get("dm_gcn")
    with pytest.raises(UserError, match=r"Unknown data set 'zzzzzz'; known: .*mfeat"):
        datasets.get("zzzzzz")
    with pytest.raises(UserError, match="Unknown control 'identiti'; did you mean identity"):
        resolve_method("dm-gcn@identiti")


def test_classes_pass_and_references_are_imported() -> None:
    assert methods.get(DMGCN) is DMGCN
    assert methods.get("mvgraph.fusion.dm_gcn:DMGCN") is DMGCN
    assert import_reference("mvgraph.fusion.dm_gcn:DMGCN") is DMGCN


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nothing", "'nothing' is not of the form module:attribute"),
        ("mvgraph:", "'mvgraph:' is not of the form"),
        (":DMGCN", "':DMGCN' is not of the form"),
        ("no_such_module:X", "'no_such_module:X' cannot be imported: No module named 'no_such_module'"),
        ("mvgraph.errors:Nope", "module mvgraph.errors has no attribute Nope"),
    ],
)
def test_references_that_lead_nowhere(reference: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        import_reference(reference)


def test_a_broken_entry_names_itself() -> None:
    broken = Resolver("method", "none", {"mine": "no_such_module:Mine"})
    with pytest.raises(UserError, match=r"'mine' \(no_such_module:Mine\) cannot be imported"):
        broken.get("mine")


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A distribution with entry points, as pip would leave it in site-packages."""
    info = tmp_path / "strangers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mvgraph.methods]\nstrange = strangers_method:Strange\ndm-gcn = strangers_method:Strange\n"
    )
    (tmp_path / "strangers_method.py").write_text("class Strange:\n    name = 'strange'\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "strangers"


def test_other_packages_register_but_never_replace(third_party: str) -> None:
    fresh = Resolver(methods.kind, methods.group, methods.builtin)
    assert fresh.origin("strange") == third_party
    assert fresh.get("strange").name == "strange"
    assert fresh.get("dm-gcn") is DMGCN
    assert fresh.origin("dm-gcn") == "mvgraph"
    assert set(fresh.names()) >= OURS | {"strange"}


def test_methods_taken_apart() -> None:
    spec = resolve_method("dm-gcn")
    assert (spec.name, spec.cls, dict(spec.options), spec.control) == ("dm-gcn", DMGCN, {}, None)
    spec = resolve_method("pyg:GATConv@shuffled")
    assert (spec.name, spec.cls, dict(spec.options)) == (
        "pyg:GATConv@shuffled",
        PyGFusion,
        {"conv": "GATConv"},
    )
    assert spec.control == "shuffled"
    assert resolve_method("single-gcn:sound").options == {"view": "sound"}
    assert resolve_method("single-gcn:sound").cls is SingleGCN
    assert resolve_method("mvgraph.fusion.dm_gcn:DMGCN@identity").control == "identity"
    assert resolve_method(DMGCN).name == "dm-gcn"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dm-gcn:fast", "Method 'dm-gcn' takes no argument after a colon; write 'dm-gcn'"),
        ("dm-gcn@", "Unknown control ''"),
        ("", "Unknown method ''"),
        ("@identity", "Unknown method ''"),
        ("nowhere:Thing", "cannot be imported"),
    ],
)
def test_texts_that_are_no_method(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        resolve_method(text)


def test_the_front_door_is_lazy_and_complete() -> None:
    for name in mv.__all__:
        assert getattr(mv, name) is not None
    assert set(dir(mv)) >= set(mv.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'frobnicate'"):
        mv.frobnicate  # noqa: B018
