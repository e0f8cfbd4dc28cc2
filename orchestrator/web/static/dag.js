// The lineage picture: move, zoom, follow a node's lines, live states. The layout comes from the server.
"use strict";

(() => {
  const svg = $("dag"), view = $("view");
  const size = { w: Number(svg.dataset.width), h: Number(svg.dataset.height) };
  const run = svg.dataset.run ? Number(svg.dataset.run) : null;
  // zoom and place live in one transform; the view box is the panel's own pixels
  let at = { x: 0, y: 0, k: 1 };
  const apply = () => view.setAttribute("transform", `translate(${at.x} ${at.y}) scale(${at.k})`);
  const panel = () => svg.getBoundingClientRect();

  function fit() {
    const box = panel();
    svg.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
    const k = Math.min(1.15, (box.width - 48) / size.w, (box.height - 48) / size.h);
    at = { k, x: Math.max(24, (box.width - size.w * k) / 2), y: (box.height - size.h * k) / 2 };
    apply();
  }
  function centre(node, k) {
    const box = panel(), [x, y] = node.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
    at = { k, x: box.width / 2 - (x + 104) * k, y: box.height / 2 - (y + 22) * k };
    apply();
  }
  function zoom(factor, x, y) {
    const k = Math.min(3, Math.max(0.02, at.k * factor));
    at = { k, x: x - ((x - at.x) * k) / at.k, y: y - ((y - at.y) * k) / at.k };
    apply();
  }
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = panel();
    zoom(Math.exp(-event.deltaY * 0.0016), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  let grip = null;
  svg.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX - at.x, y: event.clientY - at.y, far: false, id: event.pointerId };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const x = event.clientX - grip.x, y = event.clientY - grip.y;
    if (!grip.far && Math.hypot(x - at.x, y - at.y) < 5) return;
    if (!grip.far) { svg.setPointerCapture(grip.id); svg.classList.add("moving"); }
    grip.far = true;
    at.x = x; at.y = y;
    apply();
  });
  svg.addEventListener("pointerup", (event) => {
    const moved = grip?.far;
    grip = null;
    svg.classList.remove("moving");
    if (moved) return;
    const node = event.target.closest(".node");
    if (node) light(node); else dark();
  });

  const next = new Map(), previous = new Map();
  for (const path of svg.querySelectorAll(".edges path")) {
    const { f, t } = path.dataset;
    (next.get(f) ?? next.set(f, []).get(f)).push({ to: t, path });
    (previous.get(t) ?? previous.set(t, []).get(t)).push({ to: f, path });
  }
  function reach(start, links, found) {
    const queue = [start];
    while (queue.length) {
      for (const { to, path } of links.get(queue.pop()) ?? []) {
        path.classList.add("lit");
        if (!found.has(to)) { found.add(to); queue.push(to); }
      }
    }
  }
  function dark() {
    svg.classList.remove("lit");
    for (const one of svg.querySelectorAll(".lit")) one.classList.remove("lit");
    $("drawer").hidden = true;
  }
  async function light(node) {
    dark();
    const up = new Set([node.dataset.n]), down = new Set([node.dataset.n]);
    reach(node.dataset.n, previous, up);
    reach(node.dataset.n, next, down);
    for (const n of [...up, ...down]) $("n" + n).classList.add("lit");
    svg.classList.add("lit");
    tell(node, up.size - 1, down.size - 1);
  }
  function tell(node, up, down) {
    const [id, path, ...text] = node.querySelector("title").textContent.split("\n");
    const close = make("button", "button close", "Close", { type: "button" });
    close.onclick = dark;
    const facts = make("dl", "facts");
    const fact = (name, what) => {
      const pair = make("div");
      pair.append(make("dt", null, name), make("dd", null, what));
      facts.append(pair);
    };
    fact("Id", id);
    if (path) fact("File", path);
    fact("Needs", up + " nodes");
    fact("Feeds", down + " nodes");
    const links = make("p", "actions");
    const around = new URLSearchParams(location.search);
    around.set("focus", id);
    links.append(make("a", "button", "Only its lineage", { href: "/lineage?" + around }));
    if (node.dataset.run) links.append(make("a", "button", "Last run", { href: `/runs/${node.dataset.run}#n${node.dataset.number}` }));
    $("drawer").replaceChildren(close, make("h2", null, node.querySelector(".name").textContent), facts,
      make("p", "muted", text.join("\n")), links);
    $("drawer").hidden = false;
  }
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") dark();
    if (event.key === "Enter" && document.activeElement?.matches?.(".node")) light(document.activeElement);
  });
  $("fit").addEventListener("click", fit);
  $("find").addEventListener("change", (event) => {
    const words = event.target.value.trim().toLowerCase();
    if (!words) return;
    const named = [...svg.querySelectorAll(".node")].filter((n) => n.dataset.id.toLowerCase().includes(words));
    const node = named.find((n) => n.dataset.id.toLowerCase().endsWith("." + words)) ?? named[0];
    if (node) { centre(node, Math.max(at.k, 0.9)); light(node); }
  });

  const byId = new Map([...svg.querySelectorAll(".node")].map((n) => [n.dataset.id, n]));
  const states = /\bn-\w+/;
  function colour(id, state, of, number) {
    const node = byId.get(id);
    if (!node) return;
    const classes = node.getAttribute("class");
    node.setAttribute("class", (states.test(classes) ? classes.replace(states, "n-" + state) : `${classes} n-${state}`));
    node.dataset.run = of;
    node.dataset.number = number;
  }
  async function load() {
    const answer = await fetch("/api/lineage/states" + (run ? "?run=" + run : ""));
    if (answer.ok) for (const [id, state, of, number] of await answer.json()) colour(id, state, of, number);
  }
  live.addEventListener("hello", load);
  live.addEventListener("nodes", (event) => {
    const told = JSON.parse(event.data);
    if (run && told.run_id !== run) return;
    for (const packed of told.nodes) colour(packed[1], packed[5], told.run_id, packed[0]);
  });

  addEventListener("resize", fit);
  fit();
  load();
  const focus = svg.querySelector(".node.focus");
  if (focus) light(focus);
})();
