"""The hook that other projects run on their configs with pre-commit."""

from __future__ import annotations

import re

from pre_commit.clientlib import load_manifest

from conftest import ROOT


def test_the_hook_is_one_that_pre_commit_takes():
    (hook,) = load_manifest(ROOT / ".pre-commit-hooks.yaml")
    assert hook["id"] == "tftrain-check"
    assert hook["entry"] == "tftrain check"
    assert hook["types"] == ["yaml"]
    assert hook["pass_filenames"]
    assert re.search(hook["files"], "configs/digits.yaml")
    assert not re.search(hook["files"], ".github/workflows/ci.yml")
