// What every page does: a clock, one stream of changes, and a fresh main part when runs change.
"use strict";

const $ = (id) => document.getElementById(id);

/** Span in seconds, as the server writes it too (src/web/words.rs). */
function span(seconds) {
  if (seconds == null) return "";
  if (seconds < 10) return seconds.toFixed(2) + " s";
  if (seconds < 60) return seconds.toFixed(1) + " s";
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} min`;
}

/** An element with classes, text and attributes; styles go through the object model, as the policy wants. */
function make(tag, classes, text, attributes) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  if (text != null) element.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  return element;
}

const badge = (state) => make("span", `badge s-${state}`, state.replaceAll("_", " "));

function tick() {
  $("clock").textContent = new Date().toISOString().slice(11, 19);
}
setInterval(tick, 1000);
tick();

// One stream a page. `hello` comes once the server watches: whatever a page reads after it, it misses nothing.
const live = new EventSource("/api/live");
const pulse = (on, words) => {
  $("pulse").className = "pulse " + (on ? "on" : "off");
  $("pulse").lastElementChild.textContent = words;
};
live.addEventListener("hello", () => pulse(true, "live"));
live.onerror = () => pulse(false, "not connected");
// a page that is left must not hold one of the browser's six connections
addEventListener("pagehide", () => live.close());

// Pages without a script of their own are drawn by the server; a change means asking it again.
const redrawn = ["overview", "runs", "jobs", "health"];
if (redrawn.includes(document.body.dataset.page)) {
  let waiting = null;
  const again = async () => {
    waiting = null;
    if (document.hidden || document.activeElement?.closest("main input, main button")) return;
    try {
      const answer = await fetch(location.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.ok) document.querySelector("main").replaceWith(page.querySelector("main"));
    } catch { /* the pulse tells that the server is away */ }
  };
  const soon = () => { waiting ??= setTimeout(again, 1200); };
  live.addEventListener("runs", soon);
  // relative times grow old
  setInterval(soon, 20000);
  document.addEventListener("visibilitychange", soon);
}
