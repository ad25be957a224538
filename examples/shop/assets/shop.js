// The shop's only script. It sends the six requests of the demo and shows the
// results.
"use strict";

const panel = document.getElementById("demo");
const button = document.getElementById("demo-run");

const post = async (path, body) => {
  const answer = await fetch(path, { method: "POST", body: new URLSearchParams(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
};

const send = async (lane) => {
  const { change, wait } = lane.dataset;
  lane.dataset.state = "running";
  try {
    await post("/demo/step", { change, wait });
    lane.dataset.state = "done";
  } catch (error) {
    lane.dataset.state = "failed";
    throw error;
  }
};

const show = (start, finish) => {
  let nothingLost = true;
  for (const row of panel.querySelectorAll("tr[data-field]")) {
    const field = row.dataset.field;
    const cell = (column) => row.querySelector(`[data-column=${column}]`);
    cell("before").textContent = start.before[field];
    cell("expected").textContent = start.expected[field];
    for (const column of ["actual", "whole"]) {
      const value = finish[column]?.[field] ?? "?";
      const kept = value === start.expected[field];
      const mark = cell(column).querySelector(".mark");
      cell(column).dataset.kept = kept;
      cell(column).querySelector(".value").textContent = value;
      mark.textContent = kept ? mark.dataset.kept : mark.dataset.lost;
      if (column === "actual") nothingLost &&= kept;
    }
  }
  const verdict = document.getElementById("demo-verdict");
  verdict.textContent = nothingLost ? verdict.dataset.good : verdict.dataset.bad;
  verdict.dataset.kept = nothingLost;
  document.getElementById("demo-outcome").hidden = false;
};

const run = async () => {
  const failed = document.getElementById("demo-failed");
  const lanes = [...panel.querySelectorAll(".lanes li")];
  const longest = Math.max(...lanes.map((lane) => Number(lane.dataset.wait)));
  for (const lane of lanes) {
    delete lane.dataset.state;
    // All lanes share one time scale, so a lane that ends later writes later.
    lane.style.setProperty("--share", lane.dataset.wait / longest);
    lane.style.setProperty("--wait", `${longest}ms`);
  }
  failed.hidden = true;
  button.disabled = true;
  button.textContent = button.dataset.running;
  panel.dataset.state = "running";
  try {
    const start = await (await post("/demo/start")).json();
    // Browsers open six connections to a host, so all requests run at once.
    const answers = await Promise.allSettled(lanes.map(send));
    const finish = await (await post("/demo/finish")).json();
    if (answers.some((answer) => answer.status === "rejected")) throw new Error("refused");
    show(start, finish);
    panel.dataset.state = "done";
  } catch {
    document.getElementById("demo-outcome").hidden = true;
    failed.hidden = false;
    panel.dataset.state = "failed";
  }
  button.disabled = false;
  button.textContent = button.dataset.done;
};

// The page after signing out has no demo.
button?.addEventListener("click", run);
