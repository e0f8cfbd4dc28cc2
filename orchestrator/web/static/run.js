// The nodes of a run: a table with a Gantt column. Only the rows in sight exist, so that thousands cost nothing.
"use strict";

(() => {
  const root = $("run");
  const id = Number(root.dataset.id);
  const HEIGHT = 32;
  const order = ["running", "up_for_retry", "failed", "cancelled", "warned", "queued", "skipped", "success"];
  let nodes = [];            // by number
  let shown = [];            // numbers, filtered and sorted
  let filter = null, find = "", sort = { key: "start", up: true };
  let run = null, from = 0, until = 0, open = null;

  const value = {
    state: (n) => order.indexOf(n.state), name: (n) => n.name, type: (n) => n.type + n.how,
    attempt: (n) => n.attempt, seconds: (n) => n.seconds ?? -1, start: (n) => n.start ?? Infinity,
  };

  function arrange() {
    const words = find.toLowerCase();
    shown = nodes.filter((n) => (!filter || n.state === filter) && (!words || n.name.toLowerCase().includes(words)));
    const of = value[sort.key], sign = sort.up ? 1 : -1;
    shown.sort((a, b) => {
      const x = of(a), y = of(b);
      return (x < y ? -1 : x > y ? 1 : a.number - b.number) * sign;
    });
    $("space").style.height = shown.length * HEIGHT + "px";
    draw();
  }

  function draw() {
    const body = $("body");
    const first = Math.max(0, Math.floor(body.scrollTop / HEIGHT) - 8);
    const last = Math.min(shown.length, first + Math.ceil(body.clientHeight / HEIGHT) + 16);
    const now = run?.finished ?? Date.now();
    until = Math.max(run?.finished ?? now, from + 1);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(row(shown[place], place, now));
    $("rows").replaceChildren(...rows);
  }

  function row(n, place, now) {
    const line = make("div", "grid-row" + (n.number === open ? " on" : ""), null, { role: "row", "data-n": n.number });
    line.style.top = place * HEIGHT + "px";
    const running = n.state === "running";
    const seconds = running ? (now - n.start) / 1000 : n.seconds;
    const chart = make("div", "gantt");
    if (n.start) {
      const bar = make("i", "f-" + n.state), end = running ? now : n.end ?? n.start;
      bar.style.left = (100 * (n.start - from)) / (until - from) + "%";
      bar.style.width = Math.max(0, (100 * (end - n.start)) / (until - from)) + "%";
      bar.title = `${span((n.start - from) / 1000)} after the start, for ${span(seconds)}`;
      chart.append(bar);
    }
    const said = n.culprit ? "because of " + (n.culprit.split(".")[2] ?? n.culprit) : n.message;
    line.append(
      badge(n.state), make("span", null, n.name, { title: n.unique_id }),
      make("span", "muted", n.how || n.type), make("span", "num", n.attempt || ""),
      make("span", "num", seconds == null ? "" : span(seconds)), chart,
      make("span", n.state === "failed" ? "bad" : "muted", said ?? "", { title: n.culprit ?? n.message ?? "" }),
    );
    return line;
  }

  function head() {
    const counts = {};
    for (const n of nodes) counts[n.state] = (counts[n.state] ?? 0) + 1;
    const button = (state, label) => {
      const pressed = filter === state;
      const made = make("button", null, label, { "aria-pressed": pressed, type: "button" });
      made.onclick = () => { filter = pressed ? null : state; head(); arrange(); };
      return made;
    };
    const states = order.filter((state) => counts[state]);
    $("filters").replaceChildren(
      button(null, `all ${nodes.length}`), ...states.map((s) => button(s, `${s.replaceAll("_", " ")} ${counts[s]}`)));
    $("progress").replaceChildren(...["success", "warned", "failed", "cancelled", "skipped", "running"].map((state) => {
      const part = make("i", "f-" + state);
      part.style.width = (100 * (counts[state] ?? 0)) / Math.max(1, nodes.length) + "%";
      return part;
    }));
    if (!run) return;
    $("state").replaceChildren(badge(run.state));
    const end = run.finished ?? Date.now();
    if (run.started) $("took").textContent = span((end - run.started) / 1000);
    const part = (state, count) => count ? [make("b", "s-" + state, count, { title: state })] : [];
    const counted = make("span", "counts");
    counted.append(
      ...part("success", counts.success), ...part("warned", counts.warned),
      ...part("failed", (counts.failed ?? 0) + (counts.cancelled ?? 0)), ...part("skipped", counts.skipped),
      make("small", null, `of ${nodes.length}`));
    $("counts").replaceChildren(counted);
    if (run.finished) $("cancel")?.remove();
  }

  // one node as the server sends it: an array, because thousands of them travel at once
  const unpack = ([number, unique_id, name, type, how, state, attempt, start, end, seconds, message, culprit]) =>
    ({ number, unique_id, name, type, how, state, attempt, start, end, seconds, message, culprit });

  async function load() {
    const answer = await fetch(`/api/runs/${id}/nodes`);
    if (!answer.ok) return;
    const all = await answer.json();
    run = all.run;
    nodes = all.nodes.map(unpack);
    from = run.started ?? Date.now();
    head();
    arrange();
  }

  let painting = false;
  function paintSoon() {
    if (painting) return;
    painting = true;
    requestAnimationFrame(() => { painting = false; head(); arrange(); });
  }

  live.addEventListener("hello", load);
  live.addEventListener("nodes", (event) => {
    const told = JSON.parse(event.data);
    if (told.run_id !== id) return;
    for (const packed of told.nodes) nodes[packed[0]] = unpack(packed);
    paintSoon();
    if (open != null && told.nodes.some((packed) => packed[0] === open)) show(open);
  });
  live.addEventListener("runs", (event) => {
    const mine = JSON.parse(event.data).find((one) => one.run_id === id);
    if (!mine) return;
    if (!nodes.length && mine.started) { load(); return; }
    run = mine;
    paintSoon();
  });
  // bars of running nodes grow
  setInterval(() => { if (run && !run.finished && !document.hidden) { head(); draw(); } }, 500);

  $("body").addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", draw);
  $("find").addEventListener("input", (event) => { find = event.target.value; arrange(); });
  root.querySelector(".grid-head").addEventListener("click", (event) => {
    const key = event.target.dataset?.sort;
    if (!key) return;
    sort = { key, up: sort.key === key ? !sort.up : true };
    for (const button of root.querySelectorAll("[data-sort]")) {
      if (button.dataset.sort === key) button.setAttribute("aria-sort", sort.up ? "ascending" : "descending");
      else button.removeAttribute("aria-sort");
    }
    arrange();
  });
  $("rows").addEventListener("click", (event) => {
    const line = event.target.closest(".grid-row");
    if (line) show(Number(line.dataset.n));
  });

  async function show(number) {
    open = number;
    location.hash = "n" + number;
    draw();
    const answer = await fetch(`/api/runs/${id}/nodes/${number}`);
    if (!answer.ok || open !== number) return;
    const { node, sql, attempts } = await answer.json();
    const close = make("button", "button close", "Close", { type: "button" });
    close.onclick = hide;
    const facts = make("dl", "facts");
    const fact = (name, what) => {
      if (what == null || what === "") return;
      const pair = make("div");
      pair.append(make("dt", null, name), what instanceof Node ? what : make("dd", null, what));
      facts.append(pair);
    };
    const state = make("dd");
    state.append(badge(node.state));
    fact("State", state);
    fact("Kind", [node.materialized, node.resource_type].filter(Boolean).join(" "));
    fact("Relation", node.relation);
    fact("File", node.path);
    fact("Took", node.seconds == null ? null : span(node.seconds));
    fact("Result", node.message);
    fact("Rows", node.rows_affected);
    fact("Failing rows", node.failures);
    fact("Because of", node.culprit);
    const parts = [close, make("h2", null, node.name), facts];
    if (node.error) parts.push(make("h3", null, "What it says"), make("pre", "code" + (node.state === "failed" ? " bad" : ""), node.error));
    if (attempts.length > 1) {
      const table = make("table", "list");
      for (const one of attempts) {
        const line = table.insertRow();
        for (const text of [new Date(one.at).toISOString().slice(11, 23), one.kind.replace("node_", "").replaceAll("_", " "),
          one.attempt == null ? "" : "try " + one.attempt, one.data.message ?? "", one.data.error ?? ""]) line.insertCell().textContent = text;
      }
      parts.push(make("h3", null, "What happened"), table);
    }
    if (sql) parts.push(make("h3", null, "Compiled SQL"), make("pre", "code", sql));
    const drawer = $("drawer");
    drawer.replaceChildren(...parts);
    drawer.hidden = false;
  }
  function hide() {
    open = null;
    $("drawer").hidden = true;
    history.replaceState(null, "", location.pathname);
    draw();
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  load().then(() => {
    const wanted = location.hash.match(/^#n(\d+)$/);
    if (wanted && nodes[wanted[1]]) show(Number(wanted[1]));
  });
})();
