"""A headless Chromium that a test drives: the DevTools protocol over two pipes, so that no port is open and nothing is installed.

What a page logs, throws or asks the network for is kept from its first moment on.
"""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0  # for one answer; a loaded machine is slow
OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--no-sandbox",  # it runs as root in containers, and opens nothing but our own page
)  # fmt: skip


def missing() -> str:
    """Why there can be no browser here; empty where there can."""
    return "" if shutil.which("chromium") else "the command `chromium` is not installed: apt-get install chromium"


class Browser:
    """One page. `problems`: errors and warnings of its console, and what was thrown. `asked`: addresses that it wanted."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out, self._buffer = into, out, b""
        self._numbers, self._session = itertools.count(1), ""
        self._answers: dict[int, dict[str, Any]] = {}
        self._loaded = False
        self.problems: list[str] = []
        self.asked: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """What the browser answers to a command of the protocol."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while number not in self._answers:
            self._read(until)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return dict(answer["result"])

    def open(self, page: Path, ready: str) -> None:
        """Load a file, and wait until the expression `ready` holds."""
        self._loaded, until = False, time.monotonic() + PATIENCE_S
        self.call("Page.navigate", url=page.as_uri())
        while not self._loaded:
            self._read(until)
        self.until(ready)

    def run(self, script: str) -> Any:
        """The value of an expression in the page, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression holds."""
        until = time.monotonic() + PATIENCE_S
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < until, f"{condition} does not come to hold; {self.problems}"
            self.run("new Promise((done) => setTimeout(done, 20))")

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """The page's window, in pixels of CSS."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def scheme(self, name: str) -> None:
        """light or dark, as its user prefers."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def press(self, key: str, code: int) -> None:
        """A key, as a keyboard sends it."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind, more in (("keyDown", text), ("keyUp", {})):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    def screenshot(self, file: Path) -> None:
        """A PNG of the window."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def _read(self, until: float) -> None:
        assert select.select([self._out], [], [], max(0.0, until - time.monotonic()))[0], "the browser does not answer"
        piece = os.read(self._out, 1 << 20)
        assert piece, "the browser is gone"
        *whole, self._buffer = (self._buffer + piece).split(b"\0")
        for text in whole:
            self._take(json.loads(text))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        method, told = message["method"], message.get("params", {})
        self._loaded = self._loaded or method == "Page.loadEventFired"
        if method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(told["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.problems.append(json.dumps(told["args"])[:500])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.problems.append(told["entry"]["text"])


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser whose profile lies in `folder`; it is gone afterwards."""
    theirs_in, into = os.pipe()
    out, theirs_out = os.pipe()
    command = ["chromium", *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    pipes = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'  # the numbers at which it looks for them
    log = folder / "chromium.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            env={**os.environ, "HOME": str(folder)},
        )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(into, out)
    finally:
        os.close(into)  # whereupon it ends by itself
        os.close(out)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
