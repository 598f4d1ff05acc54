// Keeps the page as the server says: a stream of changes, and where that does not work one question after another.
"use strict";
(() => {
  const body = document.body, place = document.getElementById("state"), offline = document.getElementById("offline");
  const quiet = 40000; // ms without a word after which the stream counts as lost; the server says something every 15 s
  const pause = 1500; // ms between two questions
  const questions = 8; // before the stream is tried again
  let source = null, heard = 0, asking = false, timer = 0, countdown = 0, done = body.hasAttribute("data-final");

  function show(news) {
    offline.hidden = true;
    done = news.final;
    if (news.digest === body.dataset.digest) return;
    body.dataset.digest = news.digest;
    const before = document.getElementById("headline").textContent, focused = place.contains(document.activeElement) ? document.activeElement.id : null;
    place.innerHTML = news.html;
    document.title = news.title;
    if (document.getElementById("headline").textContent !== before) document.getElementById("announce").textContent = news.announce;
    if (focused !== null) (document.getElementById(focused) || document.getElementById("headline")).focus();
    prepare();
  }

  // prepare makes what stands in the page do what it does only with scripts.
  function prepare() {
    clearInterval(countdown);
    const left = document.getElementById("left");
    if (left) {
      const end = Date.now() + Number(left.dataset.left) * 1000, quarter = Number(left.dataset.quarter);
      const tick = () => {
        const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
        left.hidden = seconds > quarter;
        left.textContent = left.dataset.text.replace("{time}", Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0"));
      };
      tick();
      countdown = setInterval(tick, 1000);
    }
    const cancel = document.getElementById("cancel"), dialog = document.getElementById("cancel-dialog");
    if (cancel && dialog) {
      cancel.onclick = event => { event.preventDefault(); dialog.showModal(); };
      document.getElementById("cancel-no").onclick = event => { event.preventDefault(); dialog.close(); cancel.focus(); };
    }
  }

  function stop() {
    if (source) source.close();
    source = null;
    clearTimeout(timer);
  }

  function listen() {
    stop();
    if (!window.EventSource) { ask(Infinity); return; }
    heard = Date.now();
    source = new EventSource(body.dataset.live);
    source.onmessage = event => { heard = Date.now(); show(JSON.parse(event.data)); };
    source.addEventListener("alive", () => { heard = Date.now(); });
    source.onerror = () => { stop(); if (!done) ask(questions); };
  }

  // ask asks once, and again after the answer, so many times; then the stream is tried again.
  async function ask(times) {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    try {
      const give = new AbortController(), late = setTimeout(() => give.abort(), 10000);
      const answer = await fetch(body.dataset.poll, { cache: "no-store", signal: give.signal });
      if (answer.ok) show(await answer.json());
      else if (answer.status === 404) { location.reload(); return; }
      else offline.hidden = place.querySelector("[data-state=unreachable]") !== null;
      clearTimeout(late);
    } catch {
      offline.hidden = false;
    } finally {
      asking = false;
    }
    if (source) return;
    if (times > 1) timer = setTimeout(() => ask(times - 1), pause);
    else listen();
  }

  // A page that has slept, or came back from the list of pages visited, asks at once.
  function wake() {
    if (document.visibilityState !== "visible") return;
    if (source && Date.now() - heard < quiet) { ask(1); return; }
    stop();
    ask(1);
  }
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("pageshow", event => { if (event.persisted) wake(); });
  window.addEventListener("online", wake);
  setInterval(() => { if (source && Date.now() - heard > quiet) { stop(); ask(1); } }, 5000);

  prepare();
  if (body.dataset.live) listen();
})();
