"""The command line, in this process: ``python -m export`` and an artifact that runs itself."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from export.runner import load
from export.runner.command import main
from tests.export.surgery import rebuilt


@pytest.fixture
def x_npy(x, tmp_path) -> str:
    np.save(tmp_path / "x.npy", x)
    return str(tmp_path / "x.npy")


def test_run(model_art, x, x_npy, tmp_path, capsys):
    y_npy = str(tmp_path / "y.npy")
    assert main(["run", model_art, "--input", x_npy, "--output", y_npy, "--trust"]) == 0
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(np.load(y_npy), load(model_art, trust=True)(x))


def test_run_printed(model_art, x, x_npy, capsys):
    assert main(["run", model_art, f"--input=input={x_npy}", "--trust", "--repeat", "5"]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("median of 5 calls: ") and first.endswith(" us")
    assert second == "output0: float32 [5, 4]"
    assert eval(third) == load(model_art, trust=True)(x).tolist()


def test_inputs_by_order_and_by_name(pick_art, tmp_path, capsys):
    np.save(tmp_path / "table.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    np.save(tmp_path / "rows.npy", np.array([[3, 3, 0]]))
    rows = f"rows={tmp_path / 'rows.npy'}"
    for inputs in (["--input", rows, "--input", str(tmp_path / "table.npy")],
                   ["--input", rows, "--input", f"table={tmp_path / 'table.npy'}"]):
        assert main(["run", pick_art, "--trust", *inputs]) == 0
        assert capsys.readouterr().out == "output0: float32 [1, 3]\n[[9.0, 10.0, 2.0]]\n"


def test_verify(model_art, capsys):
    for arguments in (["verify", model_art, "--trust"], ["run", model_art, "--trust", "--verify"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out.startswith("the example is reproduced within ")


def test_an_artifact_runs_itself(model_art, x, x_npy, capsys):
    assert main(["--verify", "--input", x_npy], artifact=model_art) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("the example") and lines[1] == "output0: float32 [5, 4]"


def test_info_needs_no_trust_and_runs_nothing(tally_art, monkeypatch, capsys):
    from export.runner import native

    monkeypatch.setattr(native, "load", lambda *a: pytest.fail("native code was loaded"))
    assert main(["info", tally_art]) == 0
    out = capsys.readouterr().out
    for words in ("format 1", "made by eager-jit", "input x: float32 [3]",
                  "output output0: float32 [3]", "output output1: float32 []",
                  "state total: float32 [3]", "0 bytes of weights, arena of 0 bytes a call",
                  "native code for x86_64-linux: v2\n", "native code for aarch64-linux: aarch64",
                  "native/x86_64-linux/program.so"):
        assert words in out


def test_info_prints_nothing_that_a_terminal_obeys(model_art, tmp_path, capsys):
    def named(manifest):
        manifest["producer"]["\x1b[2J"] = "\x07\nmore \ud800"

    path = rebuilt(model_art, tmp_path / "a.art", manifest=named)
    assert main(["info", path]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out and r"\x1b[2J \x07\nmore \ud800" in out


@pytest.mark.parametrize("arguments, words", [
    (["run", "{art}", "--input", "{x}"], "holds native code"),
    (["verify", "{art}"], "holds native code"),
    (["info", "{x}"], "does not end like a zip"),
    (["run", "{x}.none", "--trust"], "cannot be read: No such file"),
    (["run", "{art}", "--trust"], "the program takes input; got 0 by position"),
    (["run", "{art}", "--trust", "--input", "{x}.none"], "x.npy.none: cannot be read"),
    (["run", "{art}", "--trust", "--input", "{art}"], "is no .npy file"),
    (["run", "{art}", "--trust", "--input", "{x}", "--output", "/none/y.npy"], "cannot be written"),
    (["run", "{art}", "--trust", "--input", "{x}", "--output", "a", "--output", "b"],
     "2 output files for 1 outputs"),
])
def test_what_cannot_be_done_is_said(arguments, words, model_art, x_npy, capsys):
    assert main([a.format(art=model_art, x=x_npy) for a in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and words in captured.err and not captured.out


@pytest.mark.parametrize("arguments, words", [
    ([], "wanted a command and an artifact"), (["run"], "wanted a command"),
    (["walk", "a.art"], "wanted a command"), (["run", "a.art", "more"], "wanted a command"),
    (["run", "{art}", "--fast"], "'--fast' is no option"), (["run", "{art}", "-v"], "'-v' is no"),
    (["run", "{art}", "--input"], "--input takes [NAME=]X.npy"),
    (["run", "{art}", "--trust=yes"], "--trust takes nothing"),
    (["run", "{art}", "--trust", "--input", "{x}", "--repeat", "0"], "--repeat takes a number"),
])
def test_bad_usage(arguments, words, model_art, x_npy, capsys):
    assert main([a.format(art=model_art, x=x_npy) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err and "usage: python -m export COMMAND ARTIFACT" in captured.err


def test_bad_usage_of_an_artifact(model_art, capsys):
    assert main(["more"], artifact=model_art) == 2
    assert f"usage: {model_art} [options]" in capsys.readouterr().err


def test_a_reader_that_has_enough(model_art):
    """As ``| head -1`` has: no traceback, and no complaint when Python exits."""
    for arguments in (["info", model_art], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        try:
            done = subprocess.run([sys.executable, "-m", "export", *arguments], stdout=write,
                                  stderr=subprocess.PIPE, text=True)
        finally:
            os.close(write)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_error_prints_nothing_that_a_terminal_obeys(model_art, tmp_path, capsys):
    def elsewhere(manifest):
        manifest["targets"] = {"\x1b[2J": manifest["targets"]["x86_64-linux"]}

    path = rebuilt(model_art, tmp_path / "a.art", manifest=elsewhere)
    assert main(["verify", path, "--trust"]) == 1
    error = capsys.readouterr().err
    assert "\x1b" not in error and r"holds code for \x1b[2J, and this is" in error


def test_an_output_that_cannot_be_put_in_place_leaves_nothing(model_art, x_npy, tmp_path, capsys):
    (tmp_path / "y.npy").mkdir()
    before = sorted(tmp_path.iterdir())
    assert main(["run", model_art, "--trust", "--input", x_npy, "--output",
                 str(tmp_path / "y.npy")]) == 1
    assert "y.npy: cannot be written: Is a directory" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_help(model_art, capsys):
    assert main(["--help"]) == 0
    assert "--trust" in capsys.readouterr().out
    assert main(["--help"], artifact=model_art) == 0
    assert "--trust" not in capsys.readouterr().out
