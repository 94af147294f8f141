"""What is said when a release cannot be made."""

import sys
from pathlib import Path

import compiler
import licences
import pytest
from crates import Crate
from product import ROOT, ReleaseError, moment, output, rust


def said(error: pytest.ExceptionInfo[ReleaseError]) -> str:
    hint = error.value.hint
    return f"{error.value}\n  hint: {hint}" if hint else str(error.value)


def test_another_compiler_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "rustc"
    fake.write_text("#!/bin/sh\necho 'rustc 1.0.0 (0000000 2015-05-15)'\n")
    fake.chmod(0o755)
    rust()
    # As without rustup, which could have the right one.
    monkeypatch.setenv("RUSTUP_TOOLCHAIN", "any")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ReleaseError) as error:
        compiler.check_version()
    assert said(error) == (
        f"rustc is 1.0.0, and releases are built with {rust()}: another compiler gives other bytes"
        f"\n  hint: rustup toolchain install {rust()}"
    )


def test_a_time_must_be_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    moment.cache_clear()
    with pytest.raises(ReleaseError) as error:
        moment()
    assert said(error) == (
        "cannot use SOURCE_DATE_EPOCH: not a whole number of seconds\n"
        "  hint: unset it, and the time of the last commit is used"
    )
    monkeypatch.undo()
    moment.cache_clear()


def test_a_crate_without_a_licence_text_is_refused(tmp_path: Path) -> None:
    crate = Crate("some-crate", "1.0.0", "MIT", (), tmp_path, "checksum")
    with pytest.raises(ReleaseError) as error:
        licences.of_crate(crate)
    assert said(error) == (
        "the crate some-crate 1.0.0 (MIT) comes without the text of its licence\n"
        "  hint: add it to WITHOUT_TEXT of release/licences.py, if that licence's text is known "
        "there"
    )


def test_a_licence_is_chosen_for_a_crate_without_a_text(tmp_path: Path) -> None:
    crate = Crate("maud", "1.0.0", "MIT OR Apache-2.0", (), tmp_path, "checksum")
    (text,) = licences.of_crate(crate).texts
    assert "Apache License" in text
    # Not what another version of it may be under.
    with pytest.raises(ReleaseError):
        licences.of_crate(Crate("maud", "2.0.0", "MPL-2.0", (), tmp_path, "checksum"))


def test_a_missing_tool_is_named() -> None:
    with pytest.raises(ReleaseError) as error:
        output(["no-such-tool"])
    assert said(error) == "cannot run no-such-tool: it is not installed"
    with pytest.raises(ReleaseError) as error:
        output(["false"])
    assert said(error) == "`false` failed with exit code 1"


def test_a_wrong_command_line_shows_the_right_one() -> None:
    with pytest.raises(ReleaseError) as error:
        output([sys.executable, str(ROOT / "release/make.py"), "everything"])
    assert said(error).endswith("failed with exit code 2")
