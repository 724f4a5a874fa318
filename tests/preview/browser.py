"""A headless Chromium that looks at the preview, and what it may reach."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium, of the extra 'dev', is not installed")
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException, WebDriverException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

DRIVER = shutil.which("chromedriver")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
missing = pytest.mark.skipif(
    DRIVER is None or CHROMIUM is None, reason="no chromium and chromedriver (Debian: chromium, chromium-driver)"
)
BOUND_S = 240.0
_POLL_S = 0.2
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Browser:
    """One page. Every wait is bounded and names what it waited for."""

    def __init__(self, driver, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def until(self, what: str, condition: Callable[[], object]) -> object:
        end = time.monotonic() + BOUND_S
        while time.monotonic() < end:
            with contextlib.suppress(StaleElementReferenceException, TimeoutException):
                if found := condition():
                    return found
            time.sleep(_POLL_S)
        pytest.fail(f"{what}: not within {BOUND_S:g} s; the page says\n{self.text()}")

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def figure(self, name: str) -> int:
        """A number of the live table."""
        return int(self.text().split(name)[1].split()[0])

    def until_says(self, text: str) -> None:
        self.until(f"the page says {text!r}", lambda: text in self.text())

    def press(self, label: str) -> None:
        self.until(f"button {label!r}", lambda: self._button(label)).click()

    def write(self, old: str, new: str) -> None:
        """Types over the text field that holds ``old``."""
        field = self.until(f"a field with {old!r}", lambda: self._field(old))
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(new)

    def enter(self, value: str) -> None:
        """Presses Enter in the text field that holds ``value``."""
        self.until(f"a field with {value!r}", lambda: self._field(value)).send_keys(Keys.ENTER)

    def dismiss_notices(self) -> None:
        for button in self.driver.find_elements(By.CSS_SELECTOR, "button.mantine-Notification-closeButton"):
            with contextlib.suppress(WebDriverException):
                button.click()

    def click_stage(self, across: float, down: float) -> None:
        """Clicks the 3-D view at a share of its width and height."""
        canvas = self.driver.find_element(By.CSS_SELECTOR, "canvas[data-engine]")
        offset = (round((across - 0.5) * canvas.size["width"]), round((down - 0.5) * canvas.size["height"]))
        webdriver.ActionChains(self.driver).move_to_element_with_offset(canvas, *offset).click().perform()

    def stage(self) -> np.ndarray:
        """The 3-D view, (H, W, 3) int16, from the canvas itself: the compositor's screenshots hang on a busy machine."""
        url = self.driver.execute_script("return document.querySelector('canvas[data-engine]').toDataURL('image/png')")
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        return np.asarray(image.convert("RGB")).astype(np.int16)

    def hosts(self) -> set[str | None]:
        """Hosts of every request and WebSocket of the page so far; None for `data:` and `blob:`."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.add(urlsplit(message["params"]["request"]["url"]).hostname)
            elif message["method"] == "Network.webSocketCreated":
                found.add(urlsplit(message["params"]["url"]).hostname)
        return found

    def _button(self, label: str):
        buttons = self.driver.find_elements(By.TAG_NAME, "button") + self.driver.find_elements(By.TAG_NAME, "label")
        return next((button for button in buttons if button.text.strip() == label), None)

    def _field(self, value: str):
        fields = self.driver.find_elements(By.TAG_NAME, "input")
        return next((field for field in fields if field.get_attribute("value") == value), None)


@contextlib.contextmanager
def browser(address: str, downloads: Path, size: tuple[int, int] = (760, 520)) -> Iterator[Browser]:
    """A Chromium with the page open."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*_FLAGS, f"--window-size={size[0]},{size[1]}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.command_executor.client_config.timeout = BOUND_S
        driver.set_page_load_timeout(BOUND_S)
        driver.get(address)
        yield Browser(driver, downloads)
    finally:
        driver.quit()


def differing(first: np.ndarray, second: np.ndarray) -> int:
    """Pixels that differ visibly between two pictures; all, when the page has changed its resolution in between."""
    if first.shape != second.shape:
        return second[..., 0].size
    return int((np.abs(first - second).max(-1) > 24).sum())
