"""`mvgraph tune`, `check` and `new`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("optuna")
pytest.importorskip("mlflow")

from mvgraph.cli.tune import parse_settings
from mvgraph.errors import UserError

SHORT = ("--rate", "0.4", "--inner", "1", "--set", "training.epochs=4", "--set", "options.hidden=[8, 4]")


def test_a_search_ends_with_settings_and_places(ask, sentence, workplace: Path) -> None:
    words = ("tune", "dm-gcn", "--data", "small.h5mu", *SHORT)
    answer = ask(*words, "--trials", "2", "--no-mirror", "--no-report")
    assert answer.code == 0, answer.err
    assert "2 complete" in answer.out
    assert answer.err.count("log-loss") == 2, "not a terminal: one plain line a trial, and no bar"
    assert "\x1b" not in answer.out + answer.err
    assert not list(workplace.rglob("mlflow.db"))

    answer = ask(*words, "--trials", "3")
    assert answer.code == 0, answer.err
    assert "2 of 3 trials are done already." in answer.err
    folder = workplace / "runs" / "tune-dm-gcn-small"
    missing = [
        name
        for name in ("report/index.html", "mlflow.db", "best.yaml", "study.json")
        if not (folder / name).is_file()
    ]
    assert missing == [], answer.out
    assert "Report  runs/tune-dm-gcn-small/report/index.html" in answer.out
    assert "mvgraph run runs/tune-dm-gcn-small/best.yaml" in answer.out
    assert yaml.safe_load((folder / "best.yaml").read_text())["datasets"] == ["../../small.h5mu"]

    page = (folder / "report" / "index.html").read_bytes()
    assert ask("report", "runs/tune-dm-gcn-small", "--out", "elsewhere").out == "elsewhere/index.html\n"
    assert (workplace / "elsewhere" / "index.html").read_bytes() == page

    # A suite that somebody has worked on is not written anew unasked.
    suite = folder / "best.yaml"
    written = suite.read_text()
    suite.write_text(written.replace("seeds:", "seeds: # more\n"))
    said = sentence(*words, "--trials", "3")
    assert "best.yaml was edited" in said
    assert "# more" in suite.read_text()
    assert ask(*words, "--trials", "3", "--force", "--no-mirror", "--no-report").code == 0
    assert suite.read_text() == written

    dry = ask("run", "runs/tune-dm-gcn-small/best.yaml", "--dry-run")
    assert dry.code == 0, dry.err
    assert "6 cells" in dry.out or "3 cells" in dry.out, "the start may be the best"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("dm-gcnn", "--data", "small.h5mu"), "did you mean dm-gcn"),
        (("dm-gcn", "--data", "mfaet"), "did you mean mfeat"),
        (("dm-gcn", "--data", "small.h5mu", "--objective", "f1"), "give one of log-loss, accuracy, both"),
        (("dm-gcn", "--data", "small.h5mu", "--set", "epochs=4"), "write it as training.epochs=200"),
        (("dm-gcn", "--data", "small.h5mu", "--set", "training.epoch=4"), "did you mean 'epochs'"),
        (("dm-gcn", "--data", "small.h5mu", "--trials", "0"), "--trials"),
        (("dm-gcn",), "--data"),
    ],
)
def test_mistakes_end_in_one_sentence(
    sentence, workplace: Path, words: tuple[str, ...], expected: str
) -> None:
    assert expected in sentence("tune", *words)
    assert not (workplace / "runs").exists()


def test_settings_are_read_as_in_a_suite() -> None:
    given = [
        "training.lr=5e-4",
        "training.epochs=20",
        "options.hidden=[8, 4]",
        "graph.kernel=exp",
        "options.view=null",
    ]
    assert parse_settings(given) == {
        "training": {"lr": 5e-4, "epochs": 20},
        "options": {"hidden": [8, 4], "view": None},
        "graph": {"kernel": "exp"},
    }
    for wrong in ("training.epochs", "=3", ".k=3", "graph.=3", "graph.k=[3"):
        with pytest.raises(UserError, match="--set"):
            parse_settings([wrong])


@pytest.mark.parametrize(("kind", "checks"), [("method", 20), ("dataset", 6)])
def test_what_is_begun_works_as_it_is(ask, sentence, workplace: Path, kind: str, checks: int) -> None:
    answer = ask("new", kind, f"my-own-{kind}")
    assert answer.code == 0, answer.err
    module = f"my_own_{kind}"
    assert (workplace / f"{module}.py").is_file()
    test = (workplace / f"test_{module}.py").read_text()
    assert len(test.strip().splitlines()[-2:]) == 2
    target = f"{module}:MyOwn{kind.capitalize()}"
    assert f'my-own-{kind} = "{target}"' in answer.out
    assert "is there already" in sentence("new", kind, f"my-own-{kind}")

    # In a process of its own, as the console script: the working folder is not where the script lies.
    script = Path(sys.executable).parent / "mvgraph"
    done = subprocess.run([script, "check", target], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") >= checks - 1
    assert "checks passed" in done.stdout
    assert "FAIL" not in done.stdout


def test_what_breaks_the_contract_is_told_with_its_reason(ask, workplace: Path) -> None:
    ask("new", "method", "bad")
    path = workplace / "bad.py"
    text = path.read_text().replace(
        "strict=True)\n        ]", "strict=True)\n        ]\n        outputs[0] = outputs[0] * torch.rand(())"
    )
    path.write_text(text)
    answer = ask("check", "bad:Bad", "--only", "metadata,same-seed,view-order")
    assert answer.code == 1
    assert "ok    metadata" in answer.out
    assert "FAIL  view-order: " in answer.out
    assert "checks passed" in answer.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("check", "nowhere:Nothing"), "cannot be imported"),
        (("check", "dm-gcn", "--only", "nonsense"), "no check 'nonsense'"),
        (("check", "pathlib:Path"), "neither a NetworkMethod nor an EstimatorMethod"),
        (("new", "method", "My Fusion"), "is no name"),
        (("new", "dataset", "class"), "a word of Python"),
    ],
)
def test_other_mistakes(sentence, workplace: Path, words: tuple[str, ...], expected: str) -> None:
    assert expected in sentence(*words)


def test_a_registered_data_set_is_checked_as_one(ask, workplace: Path) -> None:
    answer = ask("check", "mfeat", "--only", "card")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("ok    card\nmfeat: 1 of 1 checks passed")
