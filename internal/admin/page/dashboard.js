"use strict";
// The dashboard: takes the last hour from history.json once, then asks
// stats.json every few seconds and goes on from there.

const tokenKey = "spate-token";
const keptSeconds = 3600;
const patience = 5000; // ms: a tracker that hangs answers never
const $ = id => document.getElementById(id);

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
  t.svg.setAttribute("aria-label", t.title);
  t.fill = shape(t.svg, "path", "fill");
  if (t.second) t.dashed = shape(t.svg, "path", "second");
  t.stroke = shape(t.svg, "path", "stroke");
  t.cursor = shape(t.svg, "line", "cursor");
  t.cursor.setAttribute("visibility", "hidden");
  card.append(head, t.number, t.note, t.svg);
  $("tiles").append(card);
  t.svg.setAttribute("tabindex", "0");
  t.svg.addEventListener("pointermove", e => pointAt(t, e));
  t.svg.addEventListener("keydown", e => stepFrom(t, e));
  for (const end of ["pointerleave", "blur"]) t.svg.addEventListener(end, () => { t.pointed = undefined; draw(); });
}

// ---- the series ----

let points = [];      // {time, and each series' value}
let span = keptSeconds;
let latest;           // the newest stats
let recent = [];      // those of the last minute, oldest first
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
  const number = t.level && at === newest && latest ? levels(latest)[t.key] : at?.[t.key];
  const [value, unit] = number === undefined ? ["–", ""] : t.show(number);
  t.number.replaceChildren(value, element("small", "", unit + t.unit));
  const values = list.map(p => p[t.key]);
  const high = Math.max(...values), low = t.level ? Math.min(...values) : 0;
  t.at.textContent = !newest ? "" : at === newest ? "peak " + joined(t.show(high)) : new Date(at.time * 1000).toLocaleTimeString();
  t.at.classList.toggle("peak", at === newest);
  if (!newest) {
    for (const line of t.svg.querySelectorAll("path")) line.removeAttribute("d");
    t.svg.setAttribute("aria-label", t.title + ": nothing yet");
    return;
  }
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
  const seen = at === newest ? "" : `${joined([value, unit + t.unit])} at ${t.at.textContent}, `;
  t.svg.setAttribute("aria-label", `${t.title}: ${seen}from ${joined(t.show(low))} to ${joined(t.show(high))}${t.unit}`);
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

// stepFrom goes to the point beside the one that is shown, by the arrow keys.
function stepFrom(t, event) {
  const list = shown(), step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (!step || list.length < 2) return;
  event.preventDefault();
  const found = list.findIndex(p => p.time === t.pointed), at = found < 0 ? list.length - 1 : found;
  const next = Math.min(Math.max(at + step, 0), list.length - 1);
  t.pointed = next === list.length - 1 ? undefined : list[next].time;
  drawTile(t, list);
}

function draw() {
  const list = shown();
  for (const t of tiles) drawTile(t, list);
  // A young tracker's curves are shorter than the time that was chosen.
  $("fresh").textContent = freshness + (list.length > 1 ? `, curves of the last ${duration(list[list.length - 1].time - list[0].time)}` : "");
}

// ---- from stats.json ----

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
    add("Certificate " + cert.name, hasExpired(cert, s) ? "has expired" : left(cert, s) + " left", endsSoon(cert, s));
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

// say shows sentences in a box, or hides it.
function say(id, sentences) {
  $(id).hidden = !sentences.length;
  // Written only when it changes: a screen reader says it again each time.
  if ($(id).textContent !== sentences.join("")) $(id).replaceChildren(...sentences.map(s => element("p", "", s)));
}

function showStats(s) {
  const before = recent[0] === s ? undefined : recent[0], wrong = warnings(s, before);
  setState(s.state, wrong.length > 0);
  say("problem", s.problems || []);
  say("warning", wrong);
  const commit = (s.build.commit || "").slice(0, 7);
  $("build").textContent = s.build.version + (commit && !s.build.version.includes(commit) ? ` (${commit})` : "");
  $("uptime").textContent = duration(s.uptime_seconds);
  freshness = "as of " + new Date(s.time).toLocaleTimeString();
  bars("failures", s.failures, "none so far");
  bars("events", s.events, "none so far");
  bars("closed", s.connections.closed, "none so far");
  bars("limited", s.connections.refused, "none so far");
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
    torrents: [
      s.store.torrents && `${round(both(s.store.peers) / s.store.torrents, 1)} peers on average`,
      s.store.torrent_limit && `${joined(short(s.store.torrent_limit))} allowed`,
    ].filter(Boolean).join(", "),
  };
  for (const t of tiles) if (notes[t.key] !== undefined) t.note.textContent = notes[t.key];
  const last = points[points.length - 1];
  tiles[3].note.textContent = last ? `p50 ${joined(micros(last.latency_p50_us))}` : "";
}

function setState(state, wrong) {
  $("state").textContent = state;
  document.title = (state !== "ready" ? state + ": " : wrong ? "(!) " : "") + location.host + " – Spate";
  $("state").className = "pill " + state;
  document.body.classList.toggle("stale", state === "unreachable");
}

// ---- asking ----

class Refused extends Error {}
class Unhappy extends Error {}

async function get(name) {
  const token = sessionStorage.getItem(tokenKey);
  const reply = await fetch(name, {headers: token ? {Authorization: "Bearer " + token} : {}, cache: "no-store", signal: AbortSignal.timeout(patience)});
  if (reply.status === 401) throw new Refused(token ? "wrong" : "missing");
  if (!reply.ok) throw new Unhappy(`${name}: status ${reply.status}`);
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
  [latest, recent] = [undefined, []]; // rates go on from the next stats
  points = h.time.map((time, i) => Object.fromEntries([["time", time], ...keys.map(k => [k, h[k][i]])]));
  return h.step_seconds * 1000;
}

async function poll() {
  const s = await get("stats.json");
  const now = Date.parse(s.time);
  if (latest && s.started !== latest.started) {
    await loadHistory(); // another process: its counters start anew
  } else {
    const p = latest && pointFrom(s, latest);
    // Where the tracker's clock was set back, points of its future go.
    if (p) points = [...points.filter(q => q.time < p.time && q.time >= p.time - keptSeconds), p];
  }
  recent = [...recent.filter(r => Date.parse(r.time) < now && Date.parse(r.time) >= now - 60e3), s];
  latest = s;
  showStats(s);
  draw();
}

async function run() {
  let step = 0, asked = 0;
  const wait = ms => new Promise(done => setTimeout(done, ms));
  for (;;) {
    try {
      // What was missed, by a pause or while the page was asleep, the tracker knows.
      if (!step || Date.now() - asked > 3 * step) step = await loadHistory();
      asked = Date.now();
      await poll();
      // The second look comes early, so that rates are there soon.
      await wait(points.length ? step : 1000);
    } catch (err) {
      if (err instanceof Refused) { await askToken(err.message); continue; }
      step = 0;
      setState("unreachable");
      say("problem", [`The tracker gives no answer${err instanceof Unhappy ? ` (${err.message})` : ""}. It is asked again every few seconds.` + (latest ? ` What is shown is of ${new Date(latest.time).toLocaleTimeString()}.` : "")]);
      say("warning", []);
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
  try {
    const reply = await fetch(a.href, {headers: {Authorization: "Bearer " + token}});
    const text = new Blob([await reply.text()], {type: "text/plain"});
    window.open(URL.createObjectURL(text));
  } catch {
    setState("unreachable"); // the next question says more
  }
});

run();
