"""Stages, seconds of clips, scores and the ledger of published results, each on its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mvgraph.bench.metrics import part_metrics
from mvgraph.data.safetensors import write_tensors
from mvgraph.data.tau.layout import Clip
from mvgraph.data.tau.read import TauClips
from mvgraph.errors import UserError
from mvgraph.features.extract import ClipFiles
from mvgraph.features.gammatone import segment
from mvgraph.features.se_crnn_recipe import Recipe
from mvgraph.features.store import FeatureStore, write_part
from mvgraph.features.vgg import VGG16Features
from mvgraph.reproduce.clips import ClipArrays, all_seconds, chosen_seconds, divide, random_seconds
from mvgraph.reproduce.document import Document, Section, Table, as_html, as_markdown
from mvgraph.reproduce.features import PooledFromFrames
from mvgraph.reproduce.gain import averaging_sentences
from mvgraph.reproduce.published import TABLES, find, parse, published, sources
from mvgraph.reproduce.scores import Row, Score, clip_means, score
from mvgraph.reproduce.settings import AvscSettings
from mvgraph.reproduce.stages import Stages
from mvgraph.reproduce.tables import percent, share, table3

# -- stages -------------------------------------------------------------------------------------


def test_a_stage_runs_once_for_each_content(tmp_path: Path) -> None:
    calls: list[str] = []

    def work(folder: Path) -> dict[str, object]:
        calls.append(folder.name)
        return {"figure": len(calls), "nan": float("nan")}

    stages = Stages(tmp_path)
    first = stages.run("a", {"k": 60, "rate": 1.0}, work)
    again = Stages(tmp_path).run("a", {"rate": 1, "k": 60.0}, work)
    assert (again.key, again.record, again.cached, first.cached) == (first.key, first.record, True, False)
    assert first.record == {"figure": 1, "nan": None}
    other = stages.run("a", {"k": 61, "rate": 1.0}, work)
    named = stages.run("b", {"k": 60, "rate": 1.0}, work)
    assert len({first.key, other.key, named.key}) == 3
    assert len(calls) == 3


def test_an_interrupted_stage_finds_its_folder_and_is_not_taken_for_done(tmp_path: Path) -> None:
    def broken(folder: Path) -> dict[str, object]:
        (folder / "half").write_text("kept")
        raise UserError("no space left.")

    with pytest.raises(UserError, match="no space"):
        Stages(tmp_path).run("a", {}, broken)
    found = Stages(tmp_path).run("a", {}, lambda folder: {"half": (folder / "half").read_text()})
    assert (found.record, found.cached) == ({"half": "kept"}, False)


def test_a_damaged_stage_makes_what_is_damaged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def work(folder: Path) -> dict[str, object]:
        (folder / "deep").mkdir(exist_ok=True)
        for name in ("one.npz", "deep/two.h5", "notes.txt"):
            if not (folder / name).is_file():
                made.append(name)
                (folder / name).write_text(name)
        return {"figure": 1}

    def again() -> bool:
        return Stages(tmp_path).run("a", {}, work).cached

    folder = Stages(tmp_path).run("a", {}, work).folder
    assert again()
    del made[:]
    (folder / "deep/two.h5").write_text("deep/twO.h5")
    assert not again()
    assert made == ["deep/two.h5"]
    assert "deep/two.h5 of stage 'a' is damaged" in capsys.readouterr().err
    assert again()
    (folder / "one.npz").unlink()
    assert not again()
    (folder / "notes.txt").write_text("what is not sealed may change")
    assert again()
    done = folder / "done.json"
    done.write_text(done.read_text().replace('"figure": 1', '"figure": 7'))
    assert not again()
    assert "The record of stage 'a' is damaged" in capsys.readouterr().err
    assert Stages(tmp_path).run("a", {}, work).record == {"figure": 1}
    said: list[str] = []
    faults = iter(["a ledger is damaged", None])
    assert not Stages(tmp_path, said.append).run("a", {}, work, lambda folder: next(faults)).cached
    assert "a: a ledger is damaged" in said


# -- clips --------------------------------------------------------------------------------------


def clip(label: str, place: str, number: int) -> Clip:
    name = f"{label}-lyon-{place}-{number}"
    return Clip(name, label, "lyon", place, f"audio/{name}.wav", f"video/{name}.mp4")


@pytest.fixture
def store(tmp_path: Path) -> tuple[TauClips, FeatureStore]:
    """Three seconds a clip: columns and frames hold the numbers of their places."""
    train = [clip(c, f"{c}{p}", i) for c in ("bus", "park") for p in range(3) for i in range(2)]
    test = [clip(c, f"{c}9", 0) for c in ("bus", "park")]
    clips = TauClips(tmp_path, tuple(train), tuple(test))
    names = [c.name for c in clips.clips]
    made = FeatureStore.create(tmp_path / "store", names, {"features": "numbers"})
    for number, name in enumerate(names):
        columns = np.broadcast_to(np.arange(150.0)[None, :, None], (64, 150, 3)).astype(np.float32)
        frames = np.arange(15)[:, None, None, None] + np.zeros((1, 2, 2, 3))
        arrays = {
            "gammatone": columns + 1000 * number,
            "pooled": np.stack([np.arange(15), np.full(15, number)], 1).astype(np.float32),
            "frames": frames.astype(np.uint8),
        }
        write_part(made.part_path(name), name, arrays)
    return clips, made


def test_validation_clips_have_locations_of_their_own(store: tuple[TauClips, FeatureStore]) -> None:
    parts = divide(store[0], 0.3)
    assert parts.classes == ("bus", "park")
    assert len(parts.train) + len(parts.validation) == 12
    assert not {c.place for c in parts.train} & {c.place for c in parts.validation}
    assert {c.label for c in parts.train} == {c.label for c in parts.validation} == {"bus", "park"}
    assert {c.label for c in divide(store[0], 0.01).validation} == {"bus", "park"}
    assert divide(store[0], 0.3) == parts
    assert parts.labels(parts.test).tolist() == [0, 1]
    alone = TauClips(
        store[0].root, tuple(c for c in store[0].train if c.location.endswith("0")), store[0].test
    )
    with pytest.raises(UserError, match="'bus' has training clips of one location alone"):
        divide(alone, 0.3)


def test_seconds_of_sound_and_picture_go_together(store: tuple[TauClips, FeatureStore]) -> None:
    parts = divide(store[0], 0.3)
    sources = [ClipArrays(store[1], name) for name in ("gammatone", "pooled", "frames")]
    rows = np.arange(len(parts.train))
    random = random_seconds(parts, parts.train, *sources)
    seen = set()
    for turn in range(12):
        sound, pooled, frames = random.inputs(rows, np.random.default_rng(turn))
        assert (sound.shape, pooled.shape, frames.shape) == (
            (len(rows), 3, 64, 50),
            (len(rows), 5, 2),
            (len(rows), 5, 3, 2, 2),
        )
        # Each second is scaled to [-1, 1] by itself; its columns ascend.
        assert float(sound[:, :, :, 0].max()) == -1
        assert float(sound[:, :, :, -1].min()) == 1
        starts = pooled[:, 0, 0]
        torch.testing.assert_close(frames[:, 0, 0, 0, 0], starts)
        seen |= set(starts.int().tolist())
    assert min(seen) == 0
    assert max(seen) == 10
    first = random.inputs(rows, np.random.default_rng(3))[1]
    assert torch.equal(first, random.inputs(rows, np.random.default_rng(3))[1])


def test_all_seconds_are_consecutive_and_do_not_overlap(store: tuple[TauClips, FeatureStore]) -> None:
    parts = divide(store[0], 0.3)
    gammatone, pooled = ClipArrays(store[1], "gammatone", budget=0), ClipArrays(store[1], "pooled")
    every = all_seconds(parts, parts.test, 3, gammatone, pooled)
    assert every.labels.tolist() == [0, 0, 0, 1, 1, 1]
    sound, video = every.inputs(np.arange(6), np.random.default_rng(0))
    assert video[:, :, 0].int().tolist() == [list(range(s, s + 5)) for s in (0, 5, 10)] * 2
    whole = store[1].load(parts.test[1].name, "gammatone")
    np.testing.assert_allclose(sound[4], segment(whole, 50).transpose(2, 0, 1))
    assert not gammatone._kept
    assert len(pooled._kept) == 2
    chosen = chosen_seconds(parts, parts.test, np.array([7, 2]), pooled)
    (cut,) = chosen.inputs(np.arange(2), np.random.default_rng(0))
    assert cut[:, 0, 0].tolist() == [7, 2]


def test_pooling_from_stored_frames_is_pooling_of_the_pictures(
    store: tuple[TauClips, FeatureStore], tmp_path: Path
) -> None:
    network = VGG16Features(1, seed=3, warn=False).eval()
    names = ["a"]
    made = FeatureStore.create(tmp_path / "big", names, {})
    pictures = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3)).astype(np.uint8)
    write_part(made.part_path("a"), "a", {"frames": pictures})
    write_tensors(network.state_dict(), tmp_path / "b.safetensors")
    extractor = PooledFromFrames(tmp_path / "big", tmp_path / "b.safetensors", "key", 1)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float()).amax((2, 3))
    np.testing.assert_allclose(extractor(ClipFiles("a"))["pooled"], expected, rtol=1e-4, atol=1e-4)
    assert extractor.settings["backbone"] == "key"


# -- scores -------------------------------------------------------------------------------------


def test_clips_are_judged_by_the_mean_of_their_seconds() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), size=8)
    clips = np.array(["b", "a", "b", "c", "a", "c", "c", "b"])
    truth = {"a": 0, "b": 1, "c": 2}
    labels = np.array([truth[c] for c in clips])
    means, codes = clip_means(probabilities, labels, clips)
    for row, name in enumerate("abc"):
        np.testing.assert_allclose(means[row], probabilities[clips == name].mean(0))
        assert codes[row] == truth[name]
    one = score(4, probabilities, labels, clips, parameters=7, seconds={"training": 2.0})
    assert one.second == part_metrics(probabilities, labels)
    assert one.value("clip_accuracy") == part_metrics(means, codes)["accuracy"]
    assert (one.value("parameters"), one.value("seconds/training"), one.value("seconds/graph")) == (
        7,
        2,
        None,
    )


def row(*accuracies: float, name: str = "x", clip_accuracy: float = 0.0) -> Row:
    scores = tuple(
        Score(seed, {"accuracy": a}, {"accuracy": clip_accuracy}) for seed, a in enumerate(accuracies)
    )
    return Row(name, "", "last", scores)


def test_mean_and_sample_deviation() -> None:
    assert percent(row(0.5, 0.6, 0.7), "accuracy") == "60.0 ± 10.0"
    assert percent(row(0.5), "accuracy") == "50.0"
    assert percent(row(0.5), "log_loss") == "–"


def test_seconds_of_other_numbers_of_threads_are_not_averaged() -> None:
    def one(seed: int, threads: int | None, training: float) -> Score:
        return Score(seed, {}, {}, parameters=5, seconds={"training": training}, threads=threads)

    rows = {
        "DM-GCN": Row("DM-GCN", "", "last", (one(0, 1, 300.0), one(1, 2, 100.0), one(2, 2, 110.0))),
        "[15]": Row("[15]", "", "validation", (one(0, None, 7.0),)),
    }
    table = table3(rows, "")
    cells = {row[0]: row for row in table.rows}
    assert cells["DM-GCN"][4] == "105.0 ± 7.1"
    assert cells["[15]"][4] == "7.0"
    assert table.caption.endswith("Seconds are those of 2 threads, of the seeds that ran with so many.")


def test_sentence_on_averaging() -> None:
    rows = {
        "DM-GCN": row(0.90, name="DM-GCN"),
        "AT-GCN": row(0.91, name="AT-GCN"),
        "late-fusion": row(0.81, name="late-fusion", clip_accuracy=0.86),
        "[13]": row(0.70, name="[13]", clip_accuracy=0.80),
    }
    (sentence,) = averaging_sentences(rows)
    assert "AT-GCN reaches 91.0 %" in sentence
    assert "covers 50 % of the difference of 10.0 points" in sentence
    assert sentence.endswith("These are figures of one split; a verdict on who scores higher needs 5.")
    (nothing,) = averaging_sentences({**rows, "AT-GCN": row(0.5), "DM-GCN": row(0.6, name="DM-GCN")})
    assert "gains" not in nothing
    assert "covers" not in nothing
    assert nothing.endswith("needs 5.")
    assert averaging_sentences({}) == []


# -- published results and the document ---------------------------------------------------------


def test_published_figures_are_the_papers() -> None:
    expected = {
        "Mean-GCN": (0.904, 0.358),
        "AT-GCN": (0.907, 0.304),
        "DM-GCN": (0.913, 0.329),
        "[13]": (0.770, 0.658),
        "[15]": (0.883, 0.688),
    }
    for name, figures in expected.items():
        line = find("table2", name)
        assert line is not None
        assert (line.accuracy, line.log_loss) == figures
    assert {line.table for line in published()} == set(TABLES)
    assert {line.source for line in published()} == set(sources())
    assert find("table1", "nobody") is None
    assert share(find("table2", "DM-GCN")) == "91.3"
    assert share(find("others", "Chen 2022")) == "94.59"
    assert share(None) == "–"
    assert [line[1] for line in table3({}, "").rows] == ["–", "272k", "86k", "182k", "86k"]


def test_a_ledger_with_a_foreign_source_or_a_percentage_is_refused() -> None:
    text = "sources: {a: b}\ntable1:\n  - {row: x, source: %s, accuracy: %s}\n"
    assert parse(text % ("a", 0.5))[0].accuracy == 0.5
    with pytest.raises(UserError, match="no source 'c'"):
        parse(text % ("c", 0.5))
    with pytest.raises(UserError, match="a share, not 50"):
        parse(text % ("a", 50))


def test_nothing_in_a_report_is_markup() -> None:
    table = Table("t", "T<b>", ("a|b", "c"), (("<script>", "1"),), "x*y")
    whole = Document("D & d", "Mind", (Section("S", ("<i>said</i>",), (table,)),))
    page, text = as_html(whole), as_markdown(whole)
    assert "<script>" not in page + text
    assert "<i>" not in page + text
    assert "D &amp; d" in page
    assert r"a\|b" in text
    assert page.index("Mind") < page.index("<h2>")


def test_settings_are_checked() -> None:
    bad: list[dict[str, object]] = [
        {"seeds": 0},
        {"epochs": 0},
        {"seconds": 0.5},
        {"side": 8},
        {"validation": 1.0},
        {"on_bad": "x"},
        {"small_vgg": True, "weights": Path("w")},
    ]
    for words in bad:
        with pytest.raises(UserError):
            AvscSettings(**words)  # type: ignore[arg-type]
    assert AvscSettings(epochs=7).at_most(500) == 7
    assert AvscSettings().at_most(500) == 500
    assert AvscSettings(seeds=3).audited_seeds == [0, 1, 2]
    assert AvscSettings(seeds=3, audit_seeds=1).audited_seeds == [0]
    recipe = AvscSettings(epochs=90, encoder_epochs=70, fine_epochs=4).recipe()
    assert [s.epochs for s in (recipe.audio, *recipe.visual, *recipe.fusion)] == [70, 70, 4, 70, 4]
    assert AvscSettings(fine_epochs=4, fine_tune=False).recipe().fusion[1].epochs == 200
    assert AvscSettings().recipe() == Recipe()
    assert (AvscSettings(small_vgg=True).width, AvscSettings().width) == (8, 64)
