// What a schema can't know about compose.yaml: that it agrees with versions.env and with the files beside it.
// Called by check-compose with the folder whose node_modules hold `yaml`. Prints each complaint; exit 1 if there is one.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";

const { parse } = createRequire(`${process.argv[2]}/package.json`)("yaml");
const text = readFileSync("compose.yaml", "utf8");
const compose = parse(text, { merge: true });
const complaints = [];
const complain = (what) => complaints.push(what);

// defaults are the pinned versions, and every image has an exact one
const pinned = Object.fromEntries(
  [...readFileSync("versions.env", "utf8").matchAll(/^([A-Z0-9_]+)="?([^"\n]*)"?$/gm)].map((m) => [m[1], m[2]]),
);
for (const [, name, value] of text.matchAll(/\$\{([A-Z0-9_]+_VERSION):-([^}]*)\}/g)) {
  if (pinned[name] !== value) complain(`${name} is ${value} here and ${pinned[name]} in versions.env`);
}

// other variables have one default wherever they stand: here, natively and in the list of them all
const assigned = (file, pattern) => [...readFileSync(file, "utf8").matchAll(pattern)].map((m) => [m[1], m[2]]);
const defaults = new Map(assigned("native/settings.sh", /"\$\{(RIDEHAIL_[A-Z0-9_]+):=([^}$]*)\}"/g));
const documented = new Set();
for (const [name, value] of assigned("../.env.example", /^#?([A-Z][A-Z0-9_]*)=(.*)$/gm)) {
  if (value !== "" && defaults.has(name) && defaults.get(name) !== value) complain(`${name} is ${value} in .env.example, ${defaults.get(name)} natively`);
  documented.add(name);
}
for (const name of defaults.keys()) if (!documented.has(name)) complain(`${name} is not in .env.example`);
for (const [, name, value] of text.matchAll(/\$\{([A-Z0-9_]+):-([^}]*)\}/g)) {
  if (defaults.has(name) && defaults.get(name) !== value) complain(`${name} has two defaults`);
  defaults.set(name, value);
}
for (const [whole] of text.matchAll(/(?<!\$)\$\{[A-Z0-9_]+\}/g)) complain(`${whole} has no default`);

const filled = (string) => string.replace(/\$\{[A-Z0-9_]+:-([^}]*)\}/g, "$1");
const ports = new Map();
// services that do something and end have no health
const ends = new Set(
  Object.values(compose.services).flatMap((s) =>
    Object.entries(s.depends_on ?? {}).flatMap(([needed, how]) => (how.condition === "service_completed_successfully" ? [needed] : [])),
  ),
);
for (const [name, service] of Object.entries(compose.services)) {
  if (!/^[a-z./]+:(\d+(\.\d+)*|RELEASE\.[0-9TZ-]+)$/.test(filled(service.image ?? ""))) complain(`${name}: image ${service.image} has no exact version`);
  if (!service.healthcheck?.test && !ends.has(name)) complain(`${name}: no health check`);
  for (const needed of Object.keys(service.depends_on ?? {})) {
    if (!compose.services[needed]) complain(`${name}: depends on ${needed}, which is no service`);
  }
  for (const port of service.ports ?? []) {
    const [address, published] = filled(port).split(":");
    if (address !== "127.0.0.1") complain(`${name}: port ${port} is published beyond loopback`);
    if (ports.has(published)) complain(`${name}: port ${published} is taken by ${ports.get(published)}`);
    ports.set(published, name);
  }
  for (const volume of service.volumes ?? []) {
    const source = volume.split(":")[0];
    if (source.startsWith("./") ? !existsSync(source) : !(source in compose.volumes)) complain(`${name}: there is no ${source}`);
  }
}
const used = new Set(Object.values(compose.services).flatMap((s) => (s.volumes ?? []).map((v) => v.split(":")[0])));
for (const volume of Object.keys(compose.volumes)) if (!used.has(volume)) complain(`volume ${volume} is used by no service`);

// the same servers and memory as natively: the native process is called like the service
const native = readdirSync(".")
  .filter((folder) => existsSync(`${folder}/server.sh`))
  .map((folder) => readFileSync(`${folder}/server.sh`, "utf8"))
  .join("\n");
for (const [, process, heap, direct] of native.matchAll(/^\s*(druid-[a-z]+)\) echo (\w+) (\w+) ;;$/gm)) {
  const environment = compose.services[process]?.environment ?? {};
  if (environment.DRUID_XMX !== heap) complain(`${process}: heap ${environment.DRUID_XMX} here, ${heap} natively`);
  if (environment.DRUID_MAXDIRECTMEMORYSIZE !== direct) complain(`${process}: direct memory differs from ${direct}, natively`);
}

const published = new Map([...ports].map(([port, name]) => [name, port.slice(-2)]));
for (const [, server, process, offset] of native.matchAll(/^(?:([a-z]+)_port\(\) \{|\s*(druid-[a-z]+)\)) port (\d+)/gm)) {
  const name = server ?? process;
  if (published.get(name) !== offset) complain(`${name}: port ..${published.get(name)} here, ..${offset} natively`);
}
const limit = native.match(/GOMEMLIMIT=(\w+)/)?.[1];
if (compose.services.minio.environment.GOMEMLIMIT !== limit) complain(`minio: another GOMEMLIMIT than ${limit}, natively`);

// what the shared files read is set
const reads = (file, pattern, service) => {
  for (const [, name] of readFileSync(file, "utf8").matchAll(pattern)) {
    if (!(name in compose.services[service].environment)) complain(`${service}: ${file} reads ${name}, which is not set`);
  }
};
for (const file of readdirSync("trino/etc", { recursive: true }).filter((name) => /\.[a-z]+$/.test(name))) {
  reads(`trino/etc/${file}`, /^(?!#).*?\$\{ENV:([A-Z0-9_]+)\}/gm, "trino");
  const mounted = compose.services.trino.volumes.some((volume) => `./trino/etc/${file}`.startsWith(volume.split(":")[0]));
  if (!mounted) complain(`trino: trino/etc/${file} is not mounted`);
}
reads("minio/setup", /\$\{?([A-Z][A-Z0-9_]*_(?:KEY|BUCKET|URL))\b/g, "minio-setup");
for (const file of ["init", "lake_catalog"]) reads(`postgres/${file}.sql`, /^\\getenv \w+ (\w+)/gm, "postgres");

for (const what of complaints) console.error(`compose.yaml: ${what}`);
console.error(`compose.yaml: ${Object.keys(compose.services).length} services, ${complaints.length} complaints`);
process.exit(complaints.length > 0 ? 1 : 0);
