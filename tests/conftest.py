"""What several test files share: a real browser, and a real JupyterLab in it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager

import pytest

FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync""".split()


@pytest.fixture(scope="session")
def launched():
    """A context with a headless Chromium, the system's own; skipped where it is missing."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("needs Chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason='pip install -e ".[dev]"')

    @contextmanager
    def launch():
        with playwright.sync_playwright() as driver:
            opened = driver.chromium.launch(executable_path=chromium, args=FLAGS)
            yield opened
            opened.close()

    return launch


@pytest.fixture(scope="session")
def browser(launched):
    """The browser that most tests share."""
    with launched() as opened:
        yield opened


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 1280, "height": 1000})
    yield opened
    opened.close()


@pytest.fixture
def lab(tmp_path):
    """``lab(folder)`` starts JupyterLab there, with settings of its own, and returns its URL."""
    servers = []

    def start(folder):
        port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NBGRADER"))}
        env = clean | {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
        options = {
            "ServerApp.root_dir": folder,
            "ServerApp.port": port,
            "ServerApp.ip": "127.0.0.1",
            "IdentityProvider.token": "",
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with (tmp_path / "lab.log").open("w") as log:
            servers.append(subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log))
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/api")
        return url

    yield start
    for server in servers:
        server.terminate()
        server.wait(timeout=30)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
