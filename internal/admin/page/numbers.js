"use strict";
// What the tracker's numbers say, as people read them. Nothing here knows the page.

// ---- numbers as people read them ----

// scaled writes three digits of a number below 1000.
const scaled = n => round(n, n < 10 ? 2 : n < 100 ? 1 : 0);
const round = (n, digits) => n.toLocaleString("en-US", {maximumFractionDigits: digits, minimumFractionDigits: 0});
function short(n) {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e4]]) {
    if (Math.abs(n) >= size) return [scaled(n / (unit === "k" ? 1e3 : size)), unit];
  }
  const size = Math.abs(n);
  return [round(n, size < 1 ? 2 : size < 10 ? 1 : 0), ""];
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

// ---- points of the curves ----

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

// ---- what to look at ----

// left writes how long a certificate holds, in whole days or hours.
function left(cert, s) {
  const hours = Math.floor((Date.parse(cert.expiry) - Date.parse(s.time)) / 36e5);
  return hours < 1 ? "less than an hour" : hours < 48 ? hours + " h" : Math.floor(hours / 24) + " days";
}
const hasExpired = (cert, s) => Date.parse(cert.expiry) <= Date.parse(s.time);
const endsSoon = (cert, s) => Date.parse(cert.expiry) - Date.parse(s.time) < 14 * 864e5;
const ago = (time, s) => duration(Math.max(Date.parse(s.time) - Date.parse(time), 0) / 1000) + " ago";

// growth returns by how much counters grew between two stats, most first.
function growth(now, before) {
  const old = Object.fromEntries((before || []).map(c => [c.label, c.value]));
  return (now || []).map(c => ({label: c.label, value: c.value - (old[c.label] || 0)})).filter(c => c.value > 0).sort((a, b) => b.value - a.value);
}

// warnings are what an operator should look at although the tracker serves; before
// are the stats of up to a minute ago, if there are any. Shares are those of the
// alerts for Prometheus, deploy/prometheus/alerts.yml.
function warnings(s, before) {
  const list = [], c = s.connections, m = s.store;
  const warn = (holds, text) => { if (holds) list.push(text()); };
  const share = (n, limit) => limit ? n / limit : 0;
  warn(s.access_list?.stale, () => "The file of the access list is refused, and the list before it stays in force. The log names the bad lines.");
  warn(s.access_list?.mode === "allow" && !s.access_list.entries, () => "The access list is empty, so that every torrent is refused.");
  warn(s.snapshot?.failed, () => `The last snapshot was not written; the log says why. A restart would bring back ${s.snapshot.written ? "the one before it" : "nothing"}.`);
  for (const cert of s.certificates || []) {
    warn(endsSoon(cert, s), () => `The certificate ${cert.name} ${hasExpired(cert, s) ? "has expired" : `expires in ${left(cert, s)}`}.`);
  }
  warn(share(m.memory_bytes, m.memory_limit_bytes) > .9, () => `The swarms take ${percent(m.memory_bytes / m.memory_limit_bytes)} of their memory. At the limit new torrents are refused.`);
  warn(share(m.torrents, m.torrent_limit) > .9, () => `${percent(m.torrents / m.torrent_limit)} of the allowed torrents are there. At the limit new ones are refused.`);
  warn(share(c.open, c.limit) > .9, () => `${percent(c.open / c.limit)} of the allowed connections are open. At the limit new ones are refused.`);
  if (!before) return list;
  warn(m.refused_torrents > before.store.refused_torrents, () => "New torrents are refused: the swarms have reached max_memory or max_torrents. Known ones are served.");
  warn(growth(c.refused, before.connections.refused).some(r => r.label === "connections"), () => "Connections are refused: max_connections are open.");
  warn(c.accept_pauses > before.connections.accept_pauses, () => "New connections wait: the system has no descriptors or no memory for them. Raise LimitNOFILE, or look who holds connections.");
  const all = r => both(r.announces.total) + both(r.scrapes.total), failed = r => both(r.announces.failed) + both(r.scrapes.failed);
  const asked = all(s) - all(before), refused = failed(s) - failed(before);
  if (refused > .5 * asked && asked * 1000 > Date.parse(s.time) - Date.parse(before.time)) {
    const most = growth(s.failures, before.failures)[0];
    list.push(`${percent(refused / asked)} of the requests are refused` + (most ? `, most of them with the reason “${words(most.label)}”.` : "."));
  }
  return list;
}
