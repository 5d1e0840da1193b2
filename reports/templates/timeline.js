"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = data.rows;
  if (!rows.length) return;
  const marks = rows.map((_, i) => i).filter((i) => document.querySelector(`.rows [data-at="${rows[i][0]}"]`).classList.contains("marked"));
  const nav = document.querySelector(".steps");
  const panel = document.querySelector(".keys");
  const body = panel.querySelector("tbody");
  let chosen = marks.length ? marks[0] : 0;
  const cell = (kind, text) => {
    const span = document.createElement("span");
    span.className = kind;
    span.textContent = text;
    return span;
  };
  const showKeys = (at, t) => {
    const now = new Map();
    for (const change of data.keys) {
      if (change.at > at) break;
      if (change.value === null) now.delete(change.key);
      else now.set(change.key, change);
    }
    body.replaceChildren();
    for (const [key, change] of [...now].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (change.ends !== null && change.ends < t) continue;
      const line = document.createElement("td");
      const left = change.ends === null ? "no TTL" : `TTL ${((change.ends - t) / 1000).toFixed(3)} s`;
      line.append(cell("name", key), cell("ttl", left), cell("value", change.value));
      if (change.at === at) line.className = "changed";
      const row = document.createElement("tr");
      row.append(line);
      body.append(row);
    }
    if (!body.children.length) {
      const row = document.createElement("tr");
      const line = document.createElement("td");
      line.textContent = "no keys";
      row.append(line);
      body.append(row);
    }
  };
  const show = (index, scroll) => {
    chosen = Math.min(Math.max(index, 0), rows.length - 1);
    const [at, t] = rows[chosen];
    for (const old of document.querySelectorAll(".step.chosen")) old.classList.remove("chosen");
    for (const step of document.querySelectorAll(`.step[data-at="${at}"]`)) {
      step.classList.add("chosen");
      if (scroll && step.getClientRects().length) step.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    nav.querySelector("output").textContent = `${chosen + 1} of ${rows.length} · ${(t / 1000).toFixed(3)} s`;
    showKeys(at, t);
  };
  const go = {
    first: () => 0,
    back: () => chosen - 1,
    on: () => chosen + 1,
    last: () => rows.length - 1,
    mark: () => marks.find((i) => i > chosen) ?? marks[0] ?? chosen,
  };
  const keys = { ArrowLeft: "back", k: "back", ArrowRight: "on", j: "on", Home: "first", End: "last", m: "mark" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys)) return;
    event.preventDefault();
    show(go[keys[event.key]](), true);
  });
  for (const button of nav.querySelectorAll("button")) button.addEventListener("click", () => show(go[button.dataset.go](), true));
  for (const step of document.querySelectorAll(".step")) {
    step.addEventListener("click", () => show(rows.findIndex(([at]) => at === Number(step.dataset.at)), false));
  }
  nav.hidden = false;
  panel.hidden = false;
  show(chosen, false);
})();
