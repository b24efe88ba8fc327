"""A headless Chromium, driven over a pipe by the protocol of its developer tools."""

import fcntl
import json
import os
import shutil
import subprocess
import time
from base64 import b64decode
from contextlib import suppress

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (  # noqa: SIM905
    "--headless --remote-debugging-pipe --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-extensions "
    "--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage --mute-audio"
).split()


class Chromium:
    """One browser with one page; what goes wrong in the page is kept in `errors`, what it asks for in `requests`."""

    def __init__(self, folder):
        theirs_in, self.writing = os.pipe()
        self.reading, theirs_out = os.pipe()
        # Chromium reads commands from 3 and writes answers to 4; the ends are first brought out of the way of both.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]
        os.close(theirs_in)
        os.close(theirs_out)

        def connect():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        command = [PROGRAM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        # Its children outlive it for a moment; what they print is nobody's.
        self.process = subprocess.Popen(
            command, preexec_fn=connect, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in ends:
            os.close(end)
        self.folder, self.buffer, self.count = folder, b"", 0
        self.session, self.errors, self.requests, self.loaded = None, [], [], False
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        """The answer to one command."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self.count:
            self._note(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open(self, html, width=1280, height=900, name="report"):
        """Show a page in a window of a size."""
        file = self.folder / f"{name}.html"
        file.write_text(html, encoding="utf-8")
        self.errors, self.requests, self.loaded = [], [], False
        self.resize(width, height)
        self.send("Page.navigate", url=file.as_uri())
        while not self.loaded:
            self._note(self._receive())

    def resize(self, width, height=900):
        """The window's size, that of a phone below 640 pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 640
        )

    def ask(self, expression):
        """The value of an expression in the page, once it is settled."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression, seconds=20):
        """Wait until an expression is true."""
        until = time.monotonic() + seconds
        while not self.ask(expression):
            assert time.monotonic() < until, f"not within {seconds} s: {expression}"
            time.sleep(0.02)

    def drag(self, start, end):
        """Press the mouse at one point of the window, move it, and let go at another."""
        press = {"button": "left", "clickCount": 1}
        middle = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
        for kind, (x, y), more in (
            ("mouseMoved", start, {}),
            ("mousePressed", start, press),
            ("mouseMoved", middle, {"button": "left", "buttons": 1}),
            ("mouseMoved", end, {"button": "left", "buttons": 1}),
            ("mouseReleased", end, press),
        ):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def key(self, name):
        """Press a key and let it go."""
        for kind in ("rawKeyDown", "keyUp"):
            codes = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
            self.send("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=codes[name])

    def printed(self):
        """The page as a PDF file's bytes."""
        return b64decode(self.send("Page.printToPDF", printBackground=False, preferCSSPageSize=True)["data"])

    def pictured(self):
        """The whole page as a PNG file's bytes."""
        return b64decode(self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])

    def close(self):
        """End the browser."""
        with suppress(BrokenPipeError, AssertionError):
            self.session = None
            self.send("Browser.close")
        self.process.wait(timeout=20)
        os.close(self.writing)
        os.close(self.reading)

    def _receive(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.reading, 1 << 20)
            if not piece:
                raise BrokenPipeError("Chromium has ended")
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event):
        method, told = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Runtime.exceptionThrown":
            self.errors.append(
                told["exceptionDetails"]["exception"].get("description", told["exceptionDetails"]["text"])
            )
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(str([one.get("value", one.get("description")) for one in told["args"]]))
        elif method == "Log.entryAdded":
            self.errors.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
