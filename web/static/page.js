// What is better with script: regions that stay fresh, choosing all rows, words for the search.
// Everything works without it.
"use strict";
(() => {
  const body = document.body;
  const live = document.getElementById("live");
  const every = Number(body.dataset.live || 0) * 1000;
  const HIDDEN = 30000;
  let paused = localStorage.getItem("paused") === "1";
  let timer = 0;
  let failures = 0;

  // A region is left alone while somebody is at it: a field has the focus, a box is ticked, or a
  // fold is open.
  const busy = (region) =>
    region.contains(document.activeElement) && document.activeElement !== document.body
      ? document.activeElement.matches("input, select, textarea, button, summary, a")
      : region.querySelector("input:checked, details[open]") !== null;

  const say = (text) => { if (live) live.textContent = text; };

  const show = () => {
    if (!live) return;
    live.setAttribute("aria-pressed", String(!paused));
    live.title = paused ? "Refreshing is paused; press to go on" : "Refreshes by itself; press to pause";
    say(paused ? "Paused" : failures ? "No answer" : "Live");
  };

  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" }, credentials: "same-origin" });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of document.querySelectorAll("[data-region]")) {
      const other = fresh.getElementById(region.id);
      if (other && !busy(region) && other.innerHTML !== region.innerHTML) {
        region.replaceChildren(...other.childNodes);
      }
    }
    choosing();
  };

  const tick = async () => {
    if (paused || !every) return;
    try { await refresh(); failures = 0; } catch { failures += 1; }
    show();
    plan();
  };

  const plan = () => {
    clearTimeout(timer);
    if (paused || !every) return;
    const wait = document.hidden ? HIDDEN : Math.min(every * 2 ** failures, 60000);
    timer = setTimeout(tick, wait);
  };

  // All rows at once.
  const choosing = () => {
    const all = document.getElementById("choose-all");
    if (!all || all.dataset.ready) return;
    all.dataset.ready = "1";
    all.closest("label").hidden = false;
    all.addEventListener("change", () => {
      for (const box of document.querySelectorAll('input[name="id"]')) box.checked = all.checked;
    });
  };

  // The last word of the search is completed: the list is made anew for what is typed.
  const suggest = (field) => {
    const list = document.getElementById(field.getAttribute("list"));
    let words = null;
    const fill = () => {
      const before = field.value.replace(/\S*$/, "");
      const last = field.value.slice(before.length).toLowerCase();
      const found = (words || []).filter((word) => word.toLowerCase().startsWith(last)).slice(0, 12);
      list.replaceChildren(...found.map((word) => {
        const option = document.createElement("option");
        option.value = before + word;
        return option;
      }));
    };
    field.addEventListener("focus", async () => {
      if (words) return;
      words = [];
      const answer = await fetch(field.dataset.suggest, { credentials: "same-origin" });
      if (answer.ok) { words = await answer.json(); fill(); }
    });
    field.addEventListener("input", fill);
  };

  if (live && every) {
    live.hidden = false;
    live.addEventListener("click", () => {
      paused = !paused;
      localStorage.setItem("paused", paused ? "1" : "0");
      show();
      if (!paused) tick();
    });
    document.addEventListener("visibilitychange", () => { if (document.hidden) plan(); else tick(); });
    show();
    plan();
  }
  choosing();
  const field = document.getElementById("q");
  if (field) {
    suggest(field);
    document.addEventListener("keydown", (event) => {
      const typing = event.target.matches("input, textarea, select");
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        field.focus();
      }
    });
  }
})();
