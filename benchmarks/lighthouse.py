"""What Lighthouse says of the front page and the three heaviest chapters of the built site.

On a simulated phone, over a simulated slow network, from a local server that sends gzip; the median
of five runs a page. Scores are of 100. ``shift`` is the cumulative layout shift, ``kB`` all that is
transferred before any click or scroll. Targets: performance 95 on the front page and 90 on
chapters, the other three 100, shift below 0.05, less than 250 kB.
"""

import functools
import gzip
import http.server
import json
import os
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from _readme import renew

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "_ext"))
SITE = ROOT / "_build" / "html"
RUNS = 5
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
CHROMIUM = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


class Gzipped(http.server.SimpleHTTPRequestHandler):
    """What any host of static pages does: text is sent compressed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        kind = self.guess_type(path)
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if "text/" in kind else kind)
        if kind.startswith("text/") or kind.endswith(("javascript", "json", "xml")):
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def heaviest(n: int) -> list[str]:
    """The chapters with the most compressed HTML."""
    weight = {
        f"chapters/{page.stem}": len(gzip.compress(page.read_bytes()))
        for page in (SITE / "chapters").glob("*.html")
    }
    return sorted(weight, key=lambda name: -weight[name])[:n]


def measured(lighthouse: Path, node: str, url: str) -> dict[str, float]:
    """One run of Lighthouse."""
    command = [node, str(lighthouse), url, "--quiet", "--output=json", "--output-path=stdout"]
    command += [f"--chrome-flags={CHROMIUM}", f"--only-categories={','.join(CATEGORIES)}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode:
        raise SystemExit(f"Lighthouse failed on {url}:\n{done.stderr[-1000:]}")
    report = json.loads(done.stdout)
    if out := os.environ.get("LIGHTHOUSE_REPORT"):  # to look at why
        Path(out).write_text(done.stdout, "utf8")
    found = {c: 100 * report["categories"][c]["score"] for c in CATEGORIES}
    audits = report["audits"]
    found["shift"] = audits["cumulative-layout-shift"]["numericValue"]
    found["kB"] = audits["total-byte-weight"]["numericValue"] / 1000
    found["requests"] = len(audits["network-requests"]["details"]["items"])
    return found


def row(name: str, runs: list[dict[str, float]]) -> str:
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    scores = " | ".join(f"{middle[c]:.0f}" for c in CATEGORIES)
    rest = f"{middle['shift']:.3f} | {middle['kB']:.0f} | {middle['requests']:.0f}"
    return f"| {name} | {scores} | {rest} |"


def main() -> None:
    import npm

    if not (SITE / "index.html").is_file():
        raise SystemExit("There is no site yet: run make site first.")
    packages = npm.install(ROOT / "build" / "lighthouse", ROOT / "benchmarks" / "npm", "28")
    lighthouse = packages / "lighthouse" / "cli" / "index.js"
    pages = sys.argv[1:] or ["index", *heaviest(3)]
    handler = functools.partial(Gzipped, directory=str(SITE))
    lines = [
        "| page | performance | accessibility | best practices | SEO | shift | kB | requests |"
    ]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in pages:
            url = f"http://127.0.0.1:{server.server_port}/{name}.html"
            lines.append(row(name, [measured(lighthouse, npm.node(), url) for _ in range(RUNS)]))
            print(lines[-1], flush=True)
        server.shutdown()
    if not sys.argv[1:]:
        renew("lighthouse.py", f"{(__doc__ or '').strip()}\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
