"use strict";
// The dashboard: takes the last hour from history.json once, then asks
// stats.json every few seconds and goes on from there.

const tokenKey = "spate-token";
const keptSeconds = 3600;
const patience = 5000; // ms: a tracker that hangs answers never
const $ = id => document.getElementById(id);

// ---- numbers as people read them ----

// scaled writes three digits of a number below 1000.
const scaled = n => round(n, n < 10 ? 2 : n < 100 ? 1 : 0);
const round = (n, digits) => n.toLocaleString("en-US", {maximumFractionDigits: digits, minimumFractionDigits: 0});
function short(n) {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e4]]) {
    if (Math.abs(n) >= size) return [scaled(n / (unit === "k" ? 1e3 : size)), unit];
  }
  return [round(n, n !== 0 && Math.abs(n) < 10 ? 1 : 0), ""];
}
function bytes(n) {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (n >= size) return [scaled(n / size), unit];
  }
  return [round(n, 0), "B"];
}
// micros writes a time; 0 is that of no request.
function micros(n) {
  if (n === 0) return ["–", ""];
  if (n >= 1000) return [round(n / 1000, 1), "ms"];
  return [round(n, n < 10 ? 2 : 0), "µs"];
}
function duration(s) {
  const d = Math.floor(s / 86400), h = Math.floor(s % 86400 / 3600), m = Math.floor(s % 3600 / 60);
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  if (m) return `${m} min ${Math.floor(s % 60)} s`;
  return `${Math.floor(s)} s`;
}
const percent = share => round(share * 100, 0) + " %";
const joined = pair => pair[1] ? pair[0] + " " + pair[1] : pair[0];
const words = label => label.replaceAll("_", " ");
const both = families => families.ipv4 + families.ipv6;

// ---- tiles ----

// What is shown above; key names the series of history.json.
const tiles = [
  {key: "announces_per_second", title: "Announces", unit: "/s", show: short},
  {key: "scrapes_per_second", title: "Scrapes", unit: "/s", show: short},
  {key: "failures_per_second", title: "Failures", unit: "/s", show: short, kind: "bad"},
  {key: "latency_p99_us", second: "latency_p50_us", title: "Handling time, p99", unit: "", show: micros, kind: "alt"},
  {key: "peers", title: "Peers", unit: "", show: short, level: true},
  {key: "torrents", title: "Torrents", unit: "", show: short, level: true},
  {key: "connections", title: "Open connections", unit: "", show: short, level: true},
  {key: "resident_bytes", title: "Memory", unit: "", show: bytes, kind: "alt", level: true},
];
const svgNS = "http://www.w3.org/2000/svg";
const width = 300, height = 64;

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}
function shape(svg, tag, className) {
  const e = document.createElementNS(svgNS, tag);
  e.setAttribute("class", className);
  svg.append(e);
  return e;
}

for (const t of tiles) {
  const card = element("article", "tile " + (t.kind || ""));
  const head = element("h2", "", t.title);
  t.at = element("span", "at");
  head.append(t.at);
  t.number = element("div", "number", "–");
  t.note = element("div", "note");
  t.svg = document.createElementNS(svgNS, "svg");
  t.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  t.svg.setAttribute("preserveAspectRatio", "none");
  t.svg.setAttribute("role", "img");
  t.fill = shape(t.svg, "path", "fill");
  if (t.second) t.dashed = shape(t.svg, "path", "second");
  t.stroke = shape(t.svg, "path", "stroke");
  t.cursor = shape(t.svg, "line", "cursor");
  t.cursor.setAttribute("visibility", "hidden");
  card.append(head, t.number, t.note, t.svg);
  $("tiles").append(card);
  t.svg.addEventListener("pointermove", e => pointAt(t, e));
  t.svg.addEventListener("pointerleave", () => { t.pointed = undefined; draw(); });
}

// ---- the series ----

let points = [];      // {time, and each series' value}
let span = keptSeconds;
let latest;           // the newest stats
let freshness = "";   // when those were

function shown() {
  const end = points.length ? points[points.length - 1].time : 0;
  return points.filter(p => p.time >= end - span);
}

// A path through the values of one series.
function path(list, key, x, y) {
  return list.map((p, i) => `${i ? "L" : "M"}${x(p).toFixed(1)} ${y(p[key]).toFixed(1)}`).join("");
}

function drawTile(t, list) {
  const newest = list[list.length - 1];
  const at = list.find(p => p.time === t.pointed) || newest;
  // The newest stats may be fresher than the newest point, which needs two.
  const [value, unit] = t.show(t.level && at === newest && latest ? levels(latest)[t.key] : at[t.key]);
  t.number.replaceChildren(value, element("small", "", unit + t.unit));
  t.at.textContent = at === newest ? "" : new Date(at.time * 1000).toLocaleTimeString();
  const values = list.map(p => p[t.key]);
  const high = Math.max(...values), low = t.level ? Math.min(...values) : 0;
  // Levels are drawn within what they span, but not so close that noise looks
  // like a storm.
  const top = Math.max(high, low * 1.02, 1e-9) * 1.04, bottom = t.level ? Math.min(low, high * .9) * .98 : 0;
  const first = newest.time - Math.max(newest.time - list[0].time, 1);
  const x = p => (p.time - first) / (newest.time - first) * width;
  const y = v => height - 3 - (v - bottom) / (top - bottom) * (height - 8);
  const line = path(list, t.key, x, y);
  t.stroke.setAttribute("d", line);
  t.fill.setAttribute("d", `${line}L${width} ${height}L${x(list[0]).toFixed(1)} ${height}Z`);
  if (t.second) t.dashed.setAttribute("d", path(list, t.second, x, y));
  t.cursor.setAttribute("visibility", at === newest ? "hidden" : "visible");
  for (const [name, v] of [["x1", x(at)], ["x2", x(at)], ["y1", 0], ["y2", height]]) t.cursor.setAttribute(name, v);
  t.svg.setAttribute("aria-label", `${t.title}: from ${joined(t.show(low))} to ${joined(t.show(high))}`);
}

function pointAt(t, event) {
  const list = shown();
  if (list.length < 2) return;
  const box = t.svg.getBoundingClientRect();
  const end = list[list.length - 1].time;
  const time = list[0].time + (event.clientX - box.left) / box.width * (end - list[0].time);
  let best = 0;
  list.forEach((p, i) => { if (Math.abs(p.time - time) < Math.abs(list[best].time - time)) best = i; });
  t.pointed = best === list.length - 1 ? undefined : list[best].time;
  drawTile(t, list);
}

function draw() {
  const list = shown();
  if (list.length) for (const t of tiles) drawTile(t, list);
  // A young tracker's curves are shorter than the time that was chosen.
  $("fresh").textContent = freshness + (list.length > 1 ? `, curves of the last ${duration(list[list.length - 1].time - list[0].time)}` : "");
}

// ---- from stats.json ----

function quantile(bounds, deltas, share) {
  const total = deltas.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let i = 0; total && i < deltas.length; i++) {
    sum += deltas[i];
    if (sum >= total * share) return bounds[Math.min(i, bounds.length - 1)];
  }
  return 0;
}

// pointFrom makes what history.json would say of the time between two stats.
function pointFrom(s, before) {
  const seconds = (Date.parse(s.time) - Date.parse(before.time)) / 1000;
  if (!(seconds > 0)) return null;
  const rate = value => Math.max(value(s) - value(before), 0) / seconds;
  const deltas = s.latency.buckets.map((n, i) => n - before.latency.buckets[i]);
  return {
    time: Date.parse(s.time) / 1000,
    announces_per_second: rate(s => both(s.announces.total)),
    scrapes_per_second: rate(s => both(s.scrapes.total)),
    failures_per_second: rate(s => both(s.announces.failed) + both(s.scrapes.failed)),
    latency_p50_us: quantile(s.latency.bounds_us, deltas, .5),
    latency_p99_us: quantile(s.latency.bounds_us, deltas, .99),
    ...levels(s),
  };
}

// levels are the quantities that are no rates.
function levels(s) {
  return {
    peers: both(s.store.peers), torrents: s.store.torrents,
    connections: s.connections.open, resident_bytes: s.process.resident_bytes || 0,
  };
}

// bars lists counts, most first, without those that are 0.
function bars(id, counts, none) {
  const list = (counts || []).filter(c => c.value > 0).sort((a, b) => b.value - a.value);
  const most = list.length ? list[0].value : 1;
  const rows = list.flatMap(c => {
    const track = element("div", "track"), bar = element("div", "bar");
    bar.style.width = Math.max(c.value / most * 100, 1) + "%";
    track.append(bar);
    const value = element("div", "value", joined(short(c.value)));
    value.title = c.value.toLocaleString("en-US");
    return [element("div", "label", words(c.label)), track, value];
  });
  $(id).replaceChildren(...(rows.length ? rows : [element("div", "none", none)]));
}

function split(oneName, one, twoName, two) {
  const box = element("div", "split"), ends = element("div", "ends"), track = element("div", "track");
  ends.append(element("span", "", `${joined(short(one))} ${oneName}`), element("span", "", `${joined(short(two))} ${twoName}`));
  const bar = element("div", "one");
  bar.style.width = one + two ? one / (one + two) * 100 + "%" : "0";
  track.append(bar);
  if (two) track.append(element("div", "two"));
  box.append(ends, track);
  return box;
}

const daysLeft = (cert, s) => Math.floor((Date.parse(cert.expiry) - Date.parse(s.time)) / 864e5);
const ago = (time, s) => duration(Math.max(Date.parse(s.time) - Date.parse(time), 0) / 1000) + " ago";

// warnings are what an operator should look at although the tracker serves. Shares
// are those of the alerts for Prometheus, deploy/prometheus/alerts.yml.
function warnings(s, before) {
  const list = [], c = s.connections, m = s.store, last = points[points.length - 1];
  if (s.access_list?.stale) list.push("The file of the access list is refused, and the list before it stays in force. The log names the bad lines.");
  if (s.snapshot?.failed) list.push(`The last snapshot was not written; the log says why. A restart would bring back ${s.snapshot.written ? "the one before it" : "nothing"}.`);
  for (const cert of s.certificates || []) {
    const days = daysLeft(cert, s);
    if (days < 14) list.push(`The certificate ${cert.name} ${days < 0 ? "has expired" : `expires in ${days} days`}.`);
  }
  if (m.memory_limit_bytes && m.memory_bytes > .9 * m.memory_limit_bytes) list.push(`The swarms take ${percent(m.memory_bytes / m.memory_limit_bytes)} of their memory. At the limit new torrents are refused.`);
  if (c.limit && c.open > .9 * c.limit) list.push(`${percent(c.open / c.limit)} of the allowed connections are open. At the limit new ones are refused.`);
  const asked = last ? last.announces_per_second + last.scrapes_per_second : 0;
  if (before && asked > 1 && last.failures_per_second > .5 * asked) {
    const old = Object.fromEntries((before.failures || []).map(f => [f.label, f.value]));
    const recent = (s.failures || []).map(f => ({label: f.label, value: f.value - (old[f.label] || 0)}));
    const most = recent.reduce((a, b) => b.value > a.value ? b : a, {label: "", value: 0});
    list.push(`${percent(last.failures_per_second / asked)} of the requests are refused, most of them with the reason “${words(most.label)}”.`);
  }
  return list;
}

function facts(s) {
  const rows = [], c = s.connections;
  const add = (name, value, warn, title) => {
    const dd = element("dd", warn ? "warn" : "", value);
    if (title) dd.title = title;
    rows.push(element("dt", "", name), dd);
  };
  const addTime = (name, time, trouble) => add(name, ago(time, s) + (trouble || ""), trouble, new Date(time).toLocaleString());
  for (const url of s.urls || []) rows.push(element("dd", "url", url));
  const a = s.access_list;
  if (!a) add("Access list", "off");
  else {
    add("Access list", `${a.mode} ${joined(short(a.entries))} torrents`);
    addTime("List loaded", a.loaded, a.stale && ", newer refused");
  }
  if (!s.snapshot) add("Snapshot", "off");
  else if (!s.snapshot.written) add("Snapshot", "none yet", s.snapshot.failed);
  else addTime("Snapshot", s.snapshot.written, s.snapshot.failed && ", newer failed");
  for (const cert of s.certificates || []) {
    const days = daysLeft(cert, s);
    add("Certificate " + cert.name, days < 0 ? "has expired" : `${days} days left`, days < 14);
  }
  add("Peers handed out", joined(short(s.peers_sent)));
  add("Peers expired", joined(short(s.store.expired_peers)));
  add("Received", joined(bytes(c.bytes_received)));
  add("Sent", joined(bytes(c.bytes_sent)));
  add("Connections accepted", joined(short(both(c.accepted))));
  add("Goroutines", String(s.process.goroutines));
  add("Go", s.process.go_version.replace(/^go/, ""));
  $("facts").replaceChildren(...rows);
}

// say shows lines in a box, or hides it.
function say(id, lines) {
  $(id).hidden = !lines.length;
  // Written only when it changes: a screen reader says it again each time.
  if ($(id).textContent !== lines.join("\n")) $(id).textContent = lines.join("\n");
}

function showStats(s, before) {
  setState(s.state);
  say("problem", s.problems || []);
  say("warning", warnings(s, before));
  const commit = (s.build.commit || "").slice(0, 7);
  $("build").textContent = s.build.version + (commit && !s.build.version.includes(commit) ? ` (${commit})` : "");
  $("uptime").textContent = duration(s.uptime_seconds);
  freshness = "as of " + new Date(s.time).toLocaleTimeString();
  bars("failures", s.failures, "none so far");
  bars("events", s.events, "none so far");
  bars("closed", s.connections.closed, "none so far");
  $("swarms").replaceChildren(
    split("seeders", s.store.seeders, "leechers", s.store.leechers),
    split("IPv4 peers", s.store.peers.ipv4, "IPv6 peers", s.store.peers.ipv6),
    split("announces over IPv4", s.announces.total.ipv4, "over IPv6", s.announces.total.ipv6));
  facts(s);
  const notes = {
    announces_per_second: `${joined(short(both(s.announces.total)))} since start`,
    scrapes_per_second: `${joined(short(both(s.scrapes.total)))} since start`,
    failures_per_second: `${joined(short(both(s.announces.failed) + both(s.scrapes.failed)))} since start`,
    peers: `${joined(short(s.store.seeders))} seeders`,
    connections: s.connections.limit ? `of ${joined(short(s.connections.limit))} allowed` : "no limit",
    resident_bytes: `swarms ${joined(bytes(s.store.memory_bytes))}` + (s.store.memory_limit_bytes ? ` of ${joined(bytes(s.store.memory_limit_bytes))}` : ""),
    torrents: s.store.torrents ? `${round(both(s.store.peers) / s.store.torrents, 1)} peers on average` : "",
  };
  for (const t of tiles) if (notes[t.key] !== undefined) t.note.textContent = notes[t.key];
  const last = points[points.length - 1];
  if (last) tiles[3].note.textContent = `p50 ${joined(micros(last.latency_p50_us))}`;
}

function setState(state) {
  $("state").textContent = state;
  document.title = (state === "ready" ? "" : state + ": ") + location.host + " – Spate";
  $("state").className = "pill " + state;
  document.body.classList.toggle("stale", state === "unreachable");
}

// ---- asking ----

class Refused extends Error {}

async function get(name) {
  const token = sessionStorage.getItem(tokenKey);
  const reply = await fetch(name, {headers: token ? {Authorization: "Bearer " + token} : {}, cache: "no-store", signal: AbortSignal.timeout(patience)});
  if (reply.status === 401) throw new Refused(token ? "wrong" : "missing");
  if (!reply.ok) throw new Error(`${name}: status ${reply.status}`);
  return reply.json();
}

// askToken resolves once a token was given.
function askToken(why) {
  $("wrong").hidden = why !== "wrong";
  $("token").value = "";
  return new Promise(done => {
    $("ask").addEventListener("close", () => { sessionStorage.setItem(tokenKey, $("token").value.trim()); done(); }, {once: true});
    $("ask").showModal();
  });
}
$("ask").addEventListener("cancel", e => e.preventDefault());

async function loadHistory() {
  const h = await get("history.json");
  const keys = Object.keys(h).filter(k => Array.isArray(h[k]) && k !== "time");
  points = h.time.map((time, i) => Object.fromEntries([["time", time], ...keys.map(k => [k, h[k][i]])]));
  return h.step_seconds * 1000;
}

async function poll() {
  const s = await get("stats.json");
  const before = latest && s.started === latest.started ? latest : undefined;
  if (before) {
    const p = pointFrom(s, before);
    if (p) points.push(p);
    points = points.filter(q => q.time >= points[points.length - 1].time - keptSeconds);
  } else if (latest) {
    points = []; // another process: its counters start anew
  }
  latest = s;
  showStats(s, before);
  draw();
}

async function run() {
  let step = 0;
  const wait = ms => new Promise(done => setTimeout(done, ms));
  for (;;) {
    try {
      if (!step) step = await loadHistory();
      await poll();
      // The second look comes early, so that rates are there soon.
      await wait(points.length ? step : 1000);
    } catch (err) {
      if (err instanceof Refused) { await askToken(err.message); continue; }
      setState("unreachable");
      if (latest) say("problem", ["The tracker gives no answer. What is shown is of " + new Date(latest.time).toLocaleTimeString() + "."]);
      await wait(3000);
    }
  }
}

$("span").addEventListener("click", e => {
  if (!e.target.dataset.seconds) return;
  span = Number(e.target.dataset.seconds);
  for (const b of $("span").children) b.setAttribute("aria-pressed", String(b === e.target));
  draw();
});

// Links that need the token open with it.
for (const a of document.querySelectorAll("footer a")) a.addEventListener("click", async e => {
  const token = sessionStorage.getItem(tokenKey);
  if (!token) return;
  e.preventDefault();
  const reply = await fetch(a.href, {headers: {Authorization: "Bearer " + token}});
  const text = new Blob([await reply.text()], {type: "text/plain"});
  window.open(URL.createObjectURL(text));
});

run();
