// The documentation page: draws manifest.json and catalog.json. Text of the project is only ever set as text.
"use strict";

(async () => {
  const byId = (id) => document.getElementById(id);
  const inlined = (id) => {
    const found = byId(id);
    return found ? JSON.parse(found.textContent) : null;
  };
  async function load(name) {
    const given = inlined(name);
    if (given) return given;
    const answer = await fetch(`${name}.json`);
    return answer.ok ? answer.json() : null;
  }
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  const main = byId("main");
  const [manifest, catalog] = await Promise.all([load("manifest"), load("catalog")]);
  if (!manifest) {
    main.replaceChildren(make("p", {}, "There is no manifest.json: run ridehail docs generate."));
    return;
  }
  const things = new Map();
  for (const section of ["nodes", "sources", "exposures", "macros"]) {
    for (const [id, thing] of Object.entries(manifest[section] ?? {})) {
      if (section !== "macros" || thing.package_name === manifest.metadata.project_name) things.set(id, thing);
    }
  }
  const titles = {
    model: "Models", seed: "Seeds", snapshot: "Snapshots", source: "Sources", exposure: "Exposures",
    test: "Tests", analysis: "Analyses", macro: "Macros", unit_test: "Unit tests",
  };
  const label = (thing) => thing.resource_type === "source" ? `${thing.source_name}.${thing.name}` : thing.name;
  const link = (id) => {
    const thing = things.get(id);
    return make("a", { href: `#!/${encodeURIComponent(id)}` }, thing ? label(thing) : id);
  };

  function list(filter) {
    const wanted = filter.trim().toLowerCase();
    const groups = new Map(Object.keys(titles).map((kind) => [kind, []]));
    for (const [id, thing] of things) {
      const text = `${label(thing)} ${thing.description ?? ""} ${(thing.tags ?? []).join(" ")}`.toLowerCase();
      if (!wanted || text.includes(wanted)) groups.get(thing.resource_type)?.push(id);
    }
    const parts = [];
    for (const [kind, ids] of groups) {
      if (!ids.length) continue;
      ids.sort((a, b) => label(things.get(a)).localeCompare(label(things.get(b))));
      parts.push(make("h2", {}, `${titles[kind]} (${ids.length})`));
      parts.push(make("ul", {}, ...ids.map((id) => make("li", {}, link(id)))));
    }
    byId("list").replaceChildren(...parts);
  }

  const panel = (title, ...children) => make("section", { class: "panel" }, make("h2", {}, title), ...children);
  function facts(thing, table) {
    const rows = {
      Relation: thing.relation_name, Materialized: thing.config?.materialized, Package: thing.package_name,
      File: thing.original_file_path, Tags: (thing.tags ?? []).join(", "), Owner: table?.metadata.owner ?? thing.owner?.name,
      Type: table?.metadata.type, Group: thing.group, Access: thing.access, Address: thing.url,
    };
    const known = Object.entries(rows).filter(([, value]) => value);
    return make("dl", {}, ...known.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, String(value))]));
  }
  function columns(thing, table) {
    const lower = new Map(Object.values(thing.columns ?? {}).map((column) => [column.name.toLowerCase(), column]));
    const rows = Object.values(table?.columns ?? {}).sort((a, b) => a.index - b.index).map((column) => {
      const told = lower.get(column.name.toLowerCase());
      lower.delete(column.name.toLowerCase());
      return [column.name, column.type, told?.description || column.comment || ""];
    });
    for (const column of lower.values()) rows.push([column.name, column.data_type ?? "", column.description]);
    if (!rows.length) return null;
    const head = make("tr", {}, ...["Column", "Type", "Description"].map((text) => make("th", {}, text)));
    const body = rows.map((row) => make("tr", {}, ...row.map((text) => make("td", {}, text))));
    return panel("Columns", make("table", {}, head, ...body));
  }

  // ancestors to the left, descendants to the right; one column for each step
  function lineage(here) {
    const isShown = (id) => things.has(id) && things.get(id).resource_type !== "test";
    const depth = new Map([[here, 0]]);
    for (const [edges, step] of [[manifest.parent_map, -1], [manifest.child_map, 1]]) {
      let wave = [here];
      for (let far = step; wave.length && Math.abs(far) <= 20; far += step) {
        const next = wave.flatMap((id) => edges?.[id] ?? []).filter((id) => isShown(id) && id !== here);
        next.forEach((id) => depth.set(id, far));
        wave = [...new Set(next)];
      }
    }
    const layers = new Map();
    for (const [id, far] of depth) (layers.get(far) ?? layers.set(far, []).get(far)).push(id);
    const first = Math.min(...depth.values()), wide = 190, high = 26;
    const place = new Map();
    for (const [far, ids] of layers) {
      ids.sort().forEach((id, row) => place.set(id, { x: (far - first) * (wide + 50), y: row * (high + 12) }));
    }
    const draw = (tag, attributes, ...children) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      element.append(...children);
      return element;
    };
    const edges = [], nodes = [];
    for (const [id, at] of place) {
      for (const parent of manifest.parent_map?.[id] ?? []) {
        const from = place.get(parent);
        if (!from) continue;
        const x = from.x + wide, y = from.y + high / 2, to = at.y + high / 2;
        edges.push(draw("path", { d: `M${x} ${y} C${x + 25} ${y} ${at.x - 25} ${to} ${at.x} ${to}` }));
      }
      const text = label(things.get(id));
      const name = draw("text", { x: 8, y: 17 }, text.length > 26 ? `${text.slice(0, 25)}…` : text);
      const group = draw("g", { transform: `translate(${at.x} ${at.y})`, class: id === here ? "here" : "" },
        draw("rect", { width: wide, height: high, rx: 6 }), name, draw("title", {}, id));
      nodes.push(draw("a", { href: `#!/${encodeURIComponent(id)}` }, group));
    }
    const all = [...place.values()];
    const width = Math.max(...all.map((at) => at.x)) + wide + 2, height = Math.max(...all.map((at) => at.y)) + high + 2;
    return draw("svg", { width, height, viewBox: `-1 -1 ${width} ${height}`, role: "img", "aria-label": "Lineage" }, ...edges, ...nodes);
  }

  function links(title, ids) {
    const known = (ids ?? []).filter((id) => things.has(id));
    return known.length ? panel(title, make("ul", {}, ...known.map((id) => make("li", {}, link(id))))) : null;
  }
  function code(title, text) {
    return text ? panel(title, make("pre", {}, text)) : null;
  }
  function show() {
    const id = decodeURIComponent(location.hash.replace(/^#!\//, ""));
    const thing = things.get(id);
    if (!thing) {
      const overview = manifest.docs?.[`doc.${manifest.metadata.project_name}.__overview__`];
      const name = make("h1", {}, manifest.metadata.project_name ?? "Project");
      main.replaceChildren(name, panel("Overview", make("p", { class: "text" },
        overview?.block_contents ?? `${things.size} things are documented. Choose one on the left.`)));
      return;
    }
    const table = catalog?.nodes?.[id] ?? catalog?.sources?.[id];
    const head = make("div", { class: "top" }, make("h1", {}, label(thing), make("span", { class: "muted" }, thing.resource_type)));
    const children = manifest.child_map?.[id] ?? [];
    const parts = [
      head,
      thing.description ? panel("Description", make("p", { class: "text" }, thing.description)) : null,
      panel("Details", facts(thing, table)),
      columns(thing, table),
      thing.resource_type === "macro" ? null : panel("Lineage", make("div", { class: "lineage" }, lineage(id))),
      links("Needs", manifest.parent_map?.[id]),
      links("Needed by", children.filter((child) => !child.startsWith("test."))),
      links("Tests", children.filter((child) => child.startsWith("test."))),
      code("Source", thing.raw_code || thing.macro_sql),
      code("Compiled", thing.compiled_code),
    ];
    main.replaceChildren(...parts.filter(Boolean));
    document.title = `${label(thing)} · documentation`;
  }

  byId("search").addEventListener("input", (event) => list(event.target.value));
  addEventListener("hashchange", show);
  list("");
  show();
})();
