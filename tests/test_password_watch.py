"""The look for passwords finds them wherever one may leak, in any form; else that it finds none would mean nothing."""

import os
import subprocess
import sys
from pathlib import Path

from tests.servers import PASSWORD

ROOT = Path(__file__).parents[1]
SECONDS = 120

LEAKS = f"""
import logging, subprocess, sys, warnings
from urllib.parse import quote_plus
import pytest
from tradestore import init_db
from tradestore.exceptions import InvalidValue, OperationalException

PASSWORD = {PASSWORD!r}

def test_printed():
    print("at", quote_plus(PASSWORD))

def test_printed_to_error():
    sys.stderr.write(PASSWORD)

def test_printed_and_taken(capsys):
    print(PASSWORD)
    capsys.readouterr()

def test_printed_and_taken_from_the_file(capfd):
    print(PASSWORD)
    capfd.readouterr()

def test_logged():
    logging.getLogger("any").warning("at %s", PASSWORD)

def test_logged_error():
    try:
        raise ValueError(PASSWORD)
    except ValueError:
        logging.getLogger("any").exception("It failed.")

def test_own_error_that_nobody_sees():
    try:
        raise InvalidValue(PASSWORD)
    except InvalidValue:
        pass

def test_error_of_an_engine(tmp_path):
    with init_db(f"sqlite:///{{tmp_path / 'x.sqlite'}}").engine.connect() as connection:
        try:
            connection.exec_driver_sql('SELECT 1 FROM "' + PASSWORD + '"')
        except Exception:
            pass

def test_cause():
    with pytest.raises(RuntimeError):
        try:
            raise ValueError(PASSWORD)
        except ValueError as e:
            raise RuntimeError("It failed.") from e

def test_context_that_is_left_out():
    with pytest.raises(RuntimeError):
        try:
            raise ValueError(PASSWORD)
        except ValueError:
            raise RuntimeError("It failed.") from None

def test_warning():
    with pytest.warns(UserWarning):
        warnings.warn(PASSWORD)

def test_process():
    subprocess.run([sys.executable, "-c", "import sys; print(sys.stdin.read())"], input=PASSWORD, text=True,
                   capture_output=True, check=True)

def test_process_list(monkeypatch):
    script = "import subprocess; subprocess.run(['true', word], check=True)"
    code = compile(script, init_db.__code__.co_filename, "exec")
    exec(code, {{"word": PASSWORD}})
"""

CLEAN = f"""
import subprocess
from tradestore import init_db

def test_nothing():
    print("sqlite+pysqlcipher://:***@/x")
    subprocess.run(["true", {PASSWORD!r}], check=True)
    init_db("sqlite://").close()
"""


def _run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    file = folder / "test_leaks.py"
    file.write_text(code, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    # Not by a pipe that is looked at, too.
    with (folder / "output").open("w+", encoding="utf-8") as output:
        words = ["-p", "tests.password_watch", "-p", "no:cacheprovider", "-q", "-rA", "--tb=short"]
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *words, "--rootdir", str(folder), str(file)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        output.seek(0)
        return subprocess.CompletedProcess(ended.args, ended.returncode, output.read())


def test_every_leak_is_found(tmp_path: Path) -> None:
    """Each planted one."""
    run, number = _run(tmp_path, LEAKS), LEAKS.count("def test_")
    assert run.returncode == 1
    assert f"{number} failed" in run.stdout.splitlines()[-1], run.stdout.replace(PASSWORD[:6], "")
    assert "passed" not in run.stdout.splitlines()[-1]


def test_clean_test_passes(tmp_path: Path) -> None:
    """What tests give to processes of their own is their own business."""
    run = _run(tmp_path, CLEAN)
    assert run.returncode == 0, run.stdout
