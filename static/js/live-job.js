// Live progress of jobs. Whatever shows a job asks for it by the clock; while a socket to the job is open it hears of
// every change at once, and the clock asks seldom. Without a socket nothing is missing.
(() => {
  const SELDOM = 5000, SILENCE = 40000, AGAIN = 10000;
  const lines = new Map(); // by job: {socket, heard, state, asked, failed}
  const shown = (job) => document.querySelectorAll(`[data-live-job="${CSS.escape(job)}"]`);
  const open = (line) => line?.socket?.readyState === WebSocket.OPEN && Date.now() - line.heard < SILENCE;

  function refresh(element, line) {
    line.asked = Date.now();
    element.dispatchEvent(new CustomEvent("live-job"));
    if (window.htmx && element.hasAttribute("hx-get")) htmx.ajax("GET", element.getAttribute("hx-get"), { target: element, swap: "outerHTML" });
  }

  function draw(element, told) {
    const bar = element.querySelector("progress"), share = told.total ? Math.min(100, Math.floor((told.done * 100) / told.total)) : null;
    const put = (name, text) => { const place = element.querySelector(`[data-live-${name}]`); if (place && text) place.textContent = text; };
    if (bar && share !== null) bar.value = share;
    put("percent", share === null ? "" : `${share} %`);
    put("message", told.message);
    const count = element.querySelector("[data-live-count]");
    if (count && told.total) count.textContent = count.dataset.liveCount.replace("#1", told.done).replace("#2", told.total);
  }

  function hear(job, line, text) {
    const told = JSON.parse(text);
    line.heard = Date.now();
    if (told.heartbeat) return;
    const moved = (line.state ?? told.state) !== told.state || ["done", "failed", "cancelled"].includes(told.state);
    line.state = told.state;
    shown(job).forEach((element) => { if (moved) refresh(element, line); else draw(element, told); });
  }

  function connect(job) {
    const line = lines.get(job) ?? {};
    if (line.socket || Date.now() - (line.failed ?? 0) < AGAIN) return;
    lines.set(job, line);
    line.socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/jobs/${job}`);
    line.socket.onopen = () => { line.heard = Date.now(); shown(job).forEach((element) => { element.dataset.live = ""; }); };
    line.socket.onmessage = (event) => hear(job, line, event.data);
    line.socket.onclose = () => {
      line.socket = null;
      line.failed = Date.now();
      shown(job).forEach((element) => { delete element.dataset.live; });
    };
  }

  const scan = () => document.querySelectorAll("[data-live-job]").forEach((element) => { if (element.dataset.liveJob) connect(element.dataset.liveJob); });

  // htmx asks by the clock: let through only what is due while the line is open.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const line = lines.get(event.target.dataset?.liveJob);
    if (event.detail.elt !== event.target || !open(line)) return;
    if (Date.now() - (line.asked ?? 0) < SELDOM) event.preventDefault(); else line.asked = Date.now();
  });
  document.addEventListener("htmx:load", scan);
  addEventListener("pagehide", () => lines.forEach((line) => { line.failed = 0; line.socket?.close(); }));
  addEventListener("pageshow", (event) => { if (event.persisted) { lines.forEach((line) => { line.failed = 0; }); scan(); } });
  scan();
})();
