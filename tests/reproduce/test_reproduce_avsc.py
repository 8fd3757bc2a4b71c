"""The whole way on a handful of clips: stages, resume, marks, and figures that agree with their own arrays."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("typer")

from mvgraph.cli import reproduce as _registers_itself  # noqa: F401
from mvgraph.cli import run_command_line
from mvgraph.data import make_splits, read_h5mu
from mvgraph.errors import UserError
from mvgraph.features.se_crnn import FusionPart, count_numbers
from mvgraph.report.folder import check_report_folder
from mvgraph.reproduce import avsc, embeddings, gain
from mvgraph.reproduce import se_crnn as fusion_stage
from mvgraph.reproduce.avsc import reproduce_avsc
from mvgraph.reproduce.settings import AvscSettings

TINY = AvscSettings(
    seeds=2, epochs=1, small_vgg=True, neighbours=4, seconds=2.0, side=32, validation=0.2, tsne_points=10
)


class Ran:
    """One run of the clips, its report and what it said."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder, self.out, self.lines = root, folder, folder / "report", list[str]()
        self.page = self.again(TINY)

    def again(self, settings: AvscSettings) -> Path:
        self.lines = []
        return reproduce_avsc(self.out, self.root, settings, work=self.folder / "work", say=self.lines.append)

    def stage(self, name: str) -> Path:
        (found,) = [p for p in (self.folder / "work").iterdir() if p.name.rpartition("-")[0] == name]
        return found

    def table(self, name: str) -> dict[str, dict[str, str]]:
        with open(self.out / f"{name}.csv", newline="") as file:
            rows = list(csv.reader(file))
        return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}


@pytest.fixture(scope="module")
def ran(clips_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    with pytest.warns(UserWarning, match="RANDOMLY INITIALISED"):
        return Ran(clips_root, tmp_path_factory.mktemp("run"))


def test_nodes_are_one_second_of_each_training_clip_and_all_of_each_test_clip(ran: Ran) -> None:
    data = read_h5mu(ran.stage("embeddings") / embeddings.EMBEDDINGS)
    assert data.view_dims == {"audio": 128, "video": 64}
    assert data.n_samples == 9 + 6 * 2
    split = make_splits(data, "official", validation=0.2, group="location", seed=0)[0]
    assert len(split.train) + len(split.validation) == 9
    assert np.bincount(data.labels[split.validation]).tolist() == [1, 1, 1]
    assert len(split.test) == 12
    parts = [
        {data.groups["location"][r] for r in rows} for rows in (split.train, split.validation, split.test)
    ]
    assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts))
    assert all(np.unique(data.groups["clip"][split.test], return_counts=True)[1] == 2)
    assert all(
        name.startswith(label)
        for name, label in zip(data.ids, np.array(data.classes)[data.labels], strict=True)
    )
    assert data.name == "avsc-generated"
    assert np.abs(data.views["audio"]).sum() > 0


def test_every_table_of_the_paper_stands_beside_ours(ran: Ran) -> None:
    first, second, third = (ran.table(f"table{n}") for n in (1, 2, 3))
    assert list(first) == [
        *("audio without GCN", "audio linear head", "audio without edges", "audio with GCN"),
        *("video without GCN", "video linear head", "video without edges", "video with GCN"),
    ]
    assert first["audio with GCN"]["accuracy %, paper"] == "72.1"
    assert first["video with GCN"]["log-loss, paper"] == "0.592"
    assert list(second)[:5] == ["[13]", "[15]", "Mean-GCN", "AT-GCN", "DM-GCN"]
    assert second["DM-GCN"]["accuracy %, paper"] == "91.3 (micro)"
    ours = [head for head in second["[15]"] if "ours" in head or "oracle" in head]
    assert all(head.endswith("(generated clips)") for head in ours)
    assert all("±" in second[name][ours[0]] for name in ("[13]", "[15]", "Mean-GCN", "AT-GCN", "DM-GCN"))
    assert third["AT-GCN"]["parameters, paper"] == "182k"
    # Three classes and 64 pooled features here: counted, not copied.
    assert third["[15]"]["parameters, ours"] == f"{count_numbers(FusionPart(3, 64))[0]:,}"
    assert third["DM-GCN"]["parameters, ours"] == f"{192 * 256 + 256 + 256 * 128 + 128 + 4 + 384 * 3 + 3:,}"
    assert {p.name for p in ran.out.iterdir()} >= {"index.html", "report.md", "figure2.png", "scores.csv"}
    assert (ran.out / "figure2.png").read_bytes()[:4] == b"\x89PNG"


def test_scores_are_those_of_the_kept_probabilities(ran: Ran) -> None:
    data = read_h5mu(ran.stage("embeddings") / embeddings.EMBEDDINGS)
    labels = data.labels[9:]
    with open(ran.out / "scores.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["data"] for line in lines} == {"generated clips"}

    def value(row: str, metric: str, protocol: str, seed: str = "0") -> float:
        (found, *_) = [
            float(line["value"])
            for line in lines
            if (line["row"], line["metric"], line["protocol"], line["seed"]) == (row, metric, protocol, seed)
        ]
        return found

    with np.load(ran.stage("embeddings") / embeddings.SOFTMAX) as file:
        audio = file["audio"].astype(np.float64)
    assert value("audio without GCN", "accuracy", "1 s") == pytest.approx((audio.argmax(1) == labels).mean())
    right = audio[np.arange(12), labels]
    assert value("audio without GCN", "log_loss", "1 s") == pytest.approx(-np.log(right).mean(), rel=1e-5)
    pairs = audio.reshape(6, 2, 3).mean(1)
    assert value("audio without GCN", "accuracy", "10 s") == pytest.approx(
        (pairs.argmax(1) == labels[::2]).mean()
    )
    with np.load(ran.stage("se-crnn-seed1") / fusion_stage.ANSWERS) as file:
        late = file["late"]
    assert value("[15]", "accuracy", "1 s", "1") == pytest.approx((late.argmax(1) == labels).mean())


def test_report_says_what_was_run(ran: Ran) -> None:
    text = (ran.out / "report.md").read_text()
    page = ran.page.read_text()
    for words in (
        "GENERATED CLIPS: every figure of ours",
        "SMALL VGG16",
        "RANDOMLY INITIALISED",
        "at most 1 in any training",
        "What the gain is made of",
        "the encoder's own softmax",
        "training nodes that the GCNs learn from",
    ):
        assert words in text, words
    assert "GENERATED CLIPS" in page
    assert "http" not in page.replace("http-equiv", "")
    assert str(ran.folder) not in text + page


def test_a_second_call_runs_nothing_and_gives_the_same_report(ran: Ran) -> None:
    before = {p.name: p.read_bytes() for p in ran.out.iterdir()}
    ran.again(TINY)
    assert all(": found (" in line for line in ran.lines)
    assert {p.name: p.read_bytes() for p in ran.out.iterdir()} == before


def test_a_stage_that_was_lost_is_run_again_to_the_same_numbers(ran: Ran) -> None:
    scores = (ran.out / "table2.csv").read_bytes()
    lost = ran.stage("se-crnn-seed0")
    probabilities = (lost / fusion_stage.ANSWERS).read_bytes()
    # As if killed in the middle: one of two stages finished, nothing of the result.
    (lost / "done.json").unlink()
    (lost / fusion_stage.ANSWERS).unlink()
    shutil.rmtree(lost / "fusion-2")
    ran.again(TINY)
    begun = [line.split(":")[0] for line in ran.lines if "begins" in line]
    assert begun == ["se-crnn-seed0"]
    assert (lost / fusion_stage.ANSWERS).read_bytes() == probabilities
    assert (ran.out / "table2.csv").read_bytes() == scores


def test_audit_is_called_by_name_with_what_it_needs(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}

    def audit(data: Any, split: Any, **more: Any) -> dict[str, Any]:
        seen.update(more, data=data, split=split)
        table = {
            "name": "siblings",
            "title": "Siblings",
            "heads": ["view", "share"],
            "rows": [["audio", 0.5]],
        }
        return {"sentences": ["Half of the gain is smoothing."], "tables": [table]}

    monkeypatch.setattr(gain, "import_reference", lambda reference: audit)
    data: Any = object()
    more = {"neighbours": 4, "training": {"epochs": 1}, "seeds": [0, 1], "folder": tmp_path}
    found = gain.run_audit(data, data, **more)
    assert seen == {"data": data, "split": data, "methods": ("dm-gcn",), **more}
    section = gain.gain_section(found, {}, " (simulated)", 2)
    assert section.sentences[0] == "(simulated) Half of the gain is smoothing."
    assert "those of 2 seeds" in section.sentences[1]
    assert "those of one seed" in gain.gain_section(found, {}, "").sentences[1]
    assert section.tables[1].heads == ("view", "share (simulated)")
    assert section.tables[1].rows == (("audio", "0.5"),)
    monkeypatch.setattr(gain, "find_spec", lambda name: None)
    assert gain.run_audit(data, data, **more) is None
    assert "not measured here" in gain.gain_section(None, {}, "").sentences[0]
    assert "not measured here" not in (ran.out / "report.md").read_text()
    assert ran.stage("audit").is_dir()


def test_clips_that_cannot_be_read_are_named_or_skipped(clips_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "damaged"
    shutil.copytree(clips_root, root)
    victim = sorted((root / "audio").iterdir())[0]
    victim.write_bytes(b"")
    with pytest.raises(UserError, match=r"0 bytes.*on_bad='skip'"):
        reproduce_avsc(tmp_path / "out", root, TINY, work=tmp_path / "work")
    from dataclasses import replace

    from mvgraph.data.tau.read import read_tau
    from mvgraph.reproduce.features import extract_features
    from mvgraph.reproduce.stages import Stages

    settings = replace(TINY, on_bad="skip", fine_tune=False)
    with pytest.warns(UserWarning, match="RANDOMLY"):
        found = extract_features(read_tau(root), settings, Stages(tmp_path / "work"))
    assert set(found.skipped) == {victim.stem}
    assert len(found.clips.clips) == 14
    assert found.frames is None


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = AvscSettings(seeds=1, epochs=2, neighbours=5, tsne_points=40)
    folder = tmp_path_factory.mktemp("simulated")
    reproduce_avsc(folder / "out", None, settings, simulate=True, fraction=0.01, work=folder / "work")
    return folder


def test_simulated_is_marked_wherever_a_number_of_ours_stands(simulated: Path) -> None:
    text = (simulated / "out" / "report.md").read_text()
    assert text.count("SIMULATED") >= 1
    for name in ("table1", "table2", "table2-validation", "table3", "gain", "theta"):
        with open(simulated / "out" / f"{name}.csv", newline="") as file:
            heads = next(csv.reader(file))
        ours = [h for h in heads if "ours" in h or "oracle" in h or "theta" in h or "on clips" in h]
        assert ours
        assert all("(simulated)" in h or h == "parameters, ours" for h in ours), (name, ours)
    section = text.split("## What the gain is made of")[1].split("###")[0]
    sentences = [s for s in section.split("\n\n") if any(c.isdigit() for c in s)]
    assert sentences
    assert all("(simulated)" in s for s in sentences)
    with open(simulated / "out" / "table2.csv", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert rows["[15]"]["how"] == "not run"
    check_report_folder(simulated / "out")  # may be written anew
    done = json.loads(next((simulated / "work").glob("fusion-*/done.json")).read_text())
    assert done["record"]["cells"] == {"both": 10, "audio": 1, "video": 1}


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def mistake(*words: object) -> str:
        assert run_command_line(["reproduce", "avsc", *map(str, words)]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert "either the root folder" in mistake("--out", tmp_path / "o")
    assert "either the root folder" in mistake("--simulate", "--root", tmp_path, "--out", tmp_path / "o")
    assert "no evaluation_setup" in mistake(
        "--root", tmp_path, "--out", tmp_path / "o", "--work", tmp_path / "w"
    )
    assert "small VGG" in mistake("--root", tmp_path, "--small-vgg", "--weights", "x.pth")
    assert "fail" in mistake("--root", tmp_path, "--on-bad", "ignore")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "index.html").write_text("<title>My page</title>")
    assert "index.html is there already" in mistake("--simulate", "--out", tmp_path / "o")
    assert (tmp_path / "o" / "index.html").read_text() == "<title>My page</title>"
    assert run_command_line(["reproduce"]) == 0
    assert "avsc" in capsys.readouterr().out


def test_command_passes_its_words_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def fake(
        out: Path, root: Path | None, settings: AvscSettings, *, say: Callable[[str], None], **more: Any
    ) -> Path:
        seen.update(more, out=out, root=root, settings=settings)
        return out / "index.html"

    monkeypatch.setattr(avsc, "reproduce_avsc", fake)
    words = "--epochs 7 --seeds 2 --small-vgg --no-fine-tune --k 9 --workers 2 --side 64 --on-bad skip"
    words += " --validation 0.3 --encoder-epochs 5 --fine-epochs 3"
    code = run_command_line(
        ["reproduce", "avsc", "--root", str(tmp_path), "--out", str(tmp_path / "o"), *words.split()]
    )
    assert code == 0
    expected = AvscSettings(
        seeds=2,
        epochs=7,
        small_vgg=True,
        fine_tune=False,
        neighbours=9,
        workers=2,
        side=64,
        on_bad="skip",
        validation=0.3,
        encoder_epochs=5,
        fine_epochs=3,
    )
    assert (seen["settings"], seen["root"], seen["simulate"]) == (expected, tmp_path, False)
