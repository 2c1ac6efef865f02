#!/usr/bin/env python3
"""Set up, run and test Myoscope on a bare machine. Standard library only.

    python3 packaging/bootstrap.py setup          make .venv and install everything
    python3 packaging/bootstrap.py run [ARGS]     set up, then start the program (no ARGS: the demo)
    python3 packaging/bootstrap.py test [ARGS]    set up, then linters, types, walls and tests (ARGS: only pytest, with them)
    python3 packaging/bootstrap.py test --quick   linters and the tests that are not slow, on all cores: under three minutes on two
    python3 packaging/bootstrap.py doctor         what is here and what is missing

A second call is quick: a stamp of the inputs in ``.venv`` tells that nothing has changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Tests by all cores, each taking from the other what is left.
SHARED_OUT = ["-n", "auto", "--dist", "worksteal"]
# What the quick loop leaves out: tests that take seconds each, and those that need a display of their own.
QUICK = ["-m", "not slow and not display", *SHARED_OUT, "-q"]
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
SCREEN = "1920x1080x24"

# What a Qt window with OpenGL needs on Linux: shared library -> Debian package.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
# Needed besides, without a library to probe: software OpenGL, a font, and the virtual screen with its start script.
PROGRAMS = {"Xvfb": "xvfb", "xauth": "xauth"}
EXTRA_PACKAGES = ["libgl1-mesa-dri", "fonts-dejavu-core"]


def say(text: str) -> None:
    """Tell the user what happens, on stderr."""
    print(text, file=sys.stderr, flush=True)


def fail(message: str, hint: str) -> int:
    """Print the two lines of an error and return exit code 2."""
    say(f"error: {message}")
    say(f"hint: {hint}")
    return 2


def missing_libraries() -> list[str]:
    """Return the Debian packages whose libraries or programs are not here (Linux only)."""
    if not sys.platform.startswith("linux"):
        return []
    packages = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            packages.append(package)
    packages += [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if packages or not list(Path("/usr/share/fonts").rglob("*.ttf"))[:1]:
        packages += EXTRA_PACKAGES
    return packages


def install_libraries() -> None:
    """Install what the window needs where this runs as root on Debian or Ubuntu; elsewhere say what is missing."""
    packages = missing_libraries()
    if not packages:
        return
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        say(f"Installing system libraries: {' '.join(packages)}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment, stdout=subprocess.DEVNULL)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        if subprocess.run(command, check=False, env=environment, stdout=subprocess.DEVNULL).returncode == 0:
            return
        say("Some of them could not be installed; the window may not start.")
        return
    say("These system libraries are missing; the window may not start without them:")
    say(f"    sudo apt-get install {' '.join(packages)}        (Debian, Ubuntu; other systems: the same under their own names)")


def stamp(extra: str) -> str:
    """Return a hash of everything an installation depends on."""
    digest = hashlib.sha256(f"{sys.version} {platform.machine()} {extra}".encode())
    for path in (ROOT / "pyproject.toml", CONSTRAINTS):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_venv() -> int:
    """Create ``.venv``, with a hint where Debian left out the module; one that was left half made is made anew."""
    if (
        PYTHON.exists()
        and subprocess.run([str(PYTHON), "-m", "pip", "--version"], check=False, capture_output=True).returncode == 0
    ):
        return 0
    say("Creating .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    result = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False, capture_output=True, text=True)
    if result.returncode == 0:
        return 0
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-y", "-qq", "python3-venv"], check=False, stdout=subprocess.DEVNULL)
        if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode == 0:
            return 0
    return fail("a virtual environment could not be made", "Install Python's venv module (Debian, Ubuntu: python3-venv).")


def setup(*, development: bool) -> int:
    """Make the environment complete; quick when nothing changed since the last call."""
    extra = "[dev]" if development else ""
    mark = VENV / f".stamp{'-dev' if development else ''}"
    wanted = stamp(extra)
    if PYTHON.exists() and mark.exists() and mark.read_text() == wanted:
        return 0
    install_libraries()
    if code := make_venv():
        return code
    say("Installing Python packages (the first time this takes some minutes)")
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-q", "-c", str(CONSTRAINTS)]
    # The build backend first, pinned like everything else, so that no build environment fetches its own.
    for arguments in (["setuptools"], ["torch"], ["--no-build-isolation", "-e", f"{ROOT}{extra}"]):
        if code := subprocess.run([*pip, *arguments], check=False).returncode:
            return fail(
                f"pip could not install {arguments[-1]} (exit code {code})",
                "See its message above; check the network and the disk.",
            )
    mark.write_text(wanted)
    (VENV / ".stamp").write_text(stamp(""))  # the development set holds all of the plain one
    return 0


def has_display() -> bool:
    """Tell whether a window can be shown here."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def run(arguments: list[str]) -> int:
    """Start the program; without arguments the demo."""
    if code := setup(development=False):
        return code
    arguments = arguments or ["demo"]
    if arguments[0] in ("demo", "open") and not has_display():
        return fail(
            "there is no display to open a window on (DISPLAY and WAYLAND_DISPLAY are not set)",
            f'use a virtual one: xvfb-run -a -s "-screen 0 {SCREEN}" python3 packaging/bootstrap.py run',
        )
    # -P: a folder called app where the user happens to be is not ours.
    command = [str(PYTHON), "-P", "-m", "app", *arguments]
    if not WINDOWS:
        os.execv(command[0], command)  # noqa: S606 - the program replaces this script: signals and exit code are its own
    return subprocess.run(command, check=False).returncode


@contextlib.contextmanager
def virtual_display() -> Iterator[dict[str, str]]:
    """Yield an environment with a display of its own under Xvfb; the given one where Xvfb is not there."""
    program = shutil.which("Xvfb")
    if program is None:
        yield dict(os.environ)
        return
    # Xvfb picks a free display number and writes it to the pipe; file descriptors can be passed on where Xvfb exists.
    read, write = os.pipe()
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [program, "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"],
            pass_fds=(write,),
            stdout=log,
            stderr=log,
        )
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        try:
            environment = dict(os.environ)
            if number:
                environment["DISPLAY"] = f":{number}"
            yield environment
        finally:
            server.terminate()
            server.wait()


def steps(python: str) -> list[tuple[str, list[str]]]:
    """Return everything that is checked, in order: title, command."""
    pytest = [python, "-m", "pytest"]
    return [
        ("ruff check", [python, "-m", "ruff", "check", "."]),
        ("ruff format", [python, "-m", "ruff", "format", "--check", "."]),
        ("mypy", [python, "-m", "mypy"]),
        ("import-linter", [str(PYTHON.parent / "lint-imports")]),
        (
            "window, command line and bundle tests (offscreen; real windows under Xvfb)",
            [*pytest, "tests/app", "tests/integration", "tests/bundle"],
        ),
        # They know no window and no display: each core takes its share. The last step, for its closing line is pytest's.
        ("engine tests (Qt blocked)", [*pytest, *SHARED_OUT, "tests/engine"]),
    ]


def quick(python: str) -> int:
    """Run linters and the tests that are not slow, each core its share."""
    # One thread each: cores that share one test wait for each other more than they help.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    linters = [command for _, command in steps(python)[:2]]
    codes = [subprocess.run(command, check=False, cwd=ROOT).returncode for command in linters]
    codes.append(subprocess.run([python, "-m", "pytest", *QUICK], check=False, cwd=ROOT, env=environment).returncode)
    return 1 if any(codes) else 0


def test(arguments: list[str]) -> int:
    """Run linters, type checker, walls and tests; the closing lines are pytest's own."""
    if code := setup(development=True):
        return code
    python = str(PYTHON)
    if arguments == ["--quick"]:
        return quick(python)
    with virtual_display() as environment:
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if arguments:
            return subprocess.run([python, "-m", "pytest", *arguments], check=False, cwd=ROOT, env=environment).returncode
        failed: list[str] = []
        for title, command in (listed := steps(python)):
            began = time.monotonic()
            last = title == listed[-1][0]
            if last and failed:
                say(f"FAILED before this step: {', '.join(failed)}")
            say(f"== {title}")
            # One thread each where cores share tests out: those that share one test wait for each other more than they help.
            variables = {**environment, "MYOSCOPE_BLOCK_QT": "1", "OMP_NUM_THREADS": "1"} if last else environment
            code = subprocess.run(command, check=False, cwd=ROOT, env=variables).returncode
            if code:
                failed.append(title)
            if not last:
                say(f"   {'FAILED' if code else 'ok'} in {time.monotonic() - began:.0f} s")
        return 1 if failed else 0


def doctor() -> int:
    """Say what is here and what is missing."""
    print(f"python      {platform.python_version()} at {sys.executable}")
    print(f"system      {platform.platform()}")
    print(f"display     {'yes' if has_display() else 'none (DISPLAY and WAYLAND_DISPLAY are not set)'}")
    missing = missing_libraries()
    print(f"libraries   {'all there' if not missing else 'missing packages: ' + ' '.join(missing)}")
    ready = PYTHON.exists() and (VENV / ".stamp").exists() and (VENV / ".stamp").read_text() == stamp("")
    print(f"environment {'up to date' if ready else 'not set up, or out of date: run `python3 packaging/bootstrap.py setup`'}")
    if PYTHON.exists() and ready:
        return subprocess.run([str(PYTHON), "-m", "engine", "doctor"], check=False, cwd=ROOT).returncode
    return 0


def main(arguments: list[str]) -> int:
    """Dispatch."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this very check is what an older Python must reach
        return fail(
            f"Python {platform.python_version()} is too old (expected 3.11 or newer)", "Start this script with a newer python3."
        )
    command, *rest = arguments or ["help"]
    if command == "setup":
        return setup(development=False)
    if command == "run":
        return run(rest)
    if command == "test":
        return test(rest)
    if command == "doctor":
        return doctor()
    print(__doc__)
    return 0 if command in ("help", "-h", "--help") else 2


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
