"""A browser page in which every way out is watched: what would open, send, submit or leave is noted and not done."""

from __future__ import annotations

import json
from pathlib import Path

import report_chrome as chrome

#: Runs before any script of the page.
WATCH = """
window.waysOut = [];
const note = (kind, what) => { window.waysOut.push(kind + " " + String(what)); };
window.open = (url) => { note("window.open", url); return null; };
window.fetch = (what) => { note("fetch", what && what.url || what); return Promise.reject(new Error("watched")); };
navigator.sendBeacon = (url) => { note("sendBeacon", url); return false; };
XMLHttpRequest.prototype.open = function (method, url) { note("XMLHttpRequest", url); };
XMLHttpRequest.prototype.send = function () {};
for (const name of ["WebSocket", "EventSource", "RTCPeerConnection", "WebTransport"]) {
  if (name in window) window[name] = class { constructor(url) { note(name, url); } };
}
for (const name of ["submit", "requestSubmit"]) {
  HTMLFormElement.prototype[name] = function () { note("form", this.action); };
}
window.addEventListener("submit", (event) => { event.preventDefault(); note("form", event.target.action); }, true);
const away = (anchor) => anchor.href && !/^(blob|data):/.test(anchor.href)
  && new URL(anchor.href).href.split("#")[0] !== location.href.split("#")[0];
const clicked = HTMLAnchorElement.prototype.click;
HTMLAnchorElement.prototype.click = function () {
  if (away(this)) note("link", this.href); else clicked.call(this);
};
window.addEventListener("click", (event) => {
  const anchor = event.target.closest && event.target.closest("a");
  if (anchor && away(anchor)) { event.preventDefault(); note("link", anchor.href); }
}, true);
window.addEventListener("securitypolicyviolation", (e) => note("policy", e.violatedDirective + " " + e.blockedURI));
"""
#: Everything that a reader can press; plotly's buttons are `a` without an address.
CONTROLS = "a, button, input, select, summary, area, [onclick], [role=button], .modebar-btn, svg a"
PRESS = """(async (controls) => {
  const pressed = [];
  for (const control of document.querySelectorAll(controls)) {
    pressed.push(control.dataset.title || control.textContent.trim().slice(0, 40) || control.value || "?");
    control.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
    for (const kind of ["mousedown", "mouseup", "click"]) {
      control.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true, view: window}));
    }
  }
  await new Promise((done) => setTimeout(done, 400));
  return pressed;
})"""


class Watched(chrome.Page):
    """A page that notes every way out in `ways_out`; downloads are refused."""

    def open(self, path: Path) -> None:
        self.send("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.send("Page.setDownloadBehavior", behavior="deny")
        super().open(path)

    def press_everything(self) -> list[str]:
        """Press every control once, and name them."""
        return list(self.run(f"{PRESS}({json.dumps(CONTROLS)})"))

    @property
    def ways_out(self) -> list[str]:
        return list(self.run("window.waysOut"))

    @property
    def pages_opened(self) -> int:
        """Windows and tabs, this one not counted."""
        return sum(t["type"] == "page" for t in self.send("Target.getTargets")["targetInfos"]) - 1

    @property
    def requested(self) -> set[str]:
        """Schemes of all that was requested."""
        return {url.split(":", 1)[0] for url in self.requests}
