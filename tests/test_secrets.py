"""No file of the repository holds a key, a token or a password: what looks like one says in its line that it is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings

from tests.test_repository import ROOT, files

ASKS_THE_NETWORK = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"  # with what it found


@contextmanager
def offline() -> Iterator[None]:
    """All of the tool's detectors, none of which shows a secret to anybody."""
    with default_settings() as settings:
        settings.disable_filters(ASKS_THE_NETWORK)
        yield


def secrets(path: Path) -> list[str]:
    """Where and what kind of secrets a file seems to hold."""
    return [f"{path.name}:{found.line_number}: {found.type}" for found in scan_file(str(path))]


def test_nothing_here_looks_like_a_secret():
    with offline():
        found = [line for path in files(ROOT) for line in secrets(path)]
    assert found == [], "if it is none: a comment at the end of the line, pragma: allowlist secret"


def test_one_would_be_found(tmp_path):
    planted = tmp_path / "settings.py"
    key, token = "AKIA" + "Q4T7Z2M9XK5B8W3D", "ghp_" + "q8Zr2" * 7 + "x"
    planted.write_text(f'aws = "{key}"\ngithub = "{token}"\n')
    with offline():
        assert secrets(planted) == ["settings.py:1: AWS Access Key", "settings.py:2: GitHub Token"]
