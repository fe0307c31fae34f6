// Pages that hear what others do. A record's page shows changes as they come; a form only says so and keeps what was
// typed; a list offers to refresh. Without a socket nothing is missing: the page is as it was when it was loaded.
(() => {
  const place = document.getElementById("live");
  if (!place) return;
  const mode = place.dataset.liveMode, subject = place.dataset.liveSubject;
  const FINAL = [4400, 4401, 4403, 4404], SILENCE = 45000, AWAY = 600000, GATHER = 200;
  let socket = null, cursor = place.dataset.liveAfter, heard = 0, failures = 0, timer = 0, away = 0, over = false;

  // ---- the bar
  const clear = () => place.querySelectorAll(":scope > :not(template)").forEach((node) => node.remove());
  function say(name, who) {
    clear();
    const said = place.querySelector(`template[data-live-say="${name}"]`).content.cloneNode(true);
    said.querySelectorAll("[data-live-who]").forEach((node) => { node.textContent = who; });
    said.querySelectorAll('a[href=""]').forEach((link) => { link.href = location.href; });
    place.append(said);
  }

  // ---- a record
  const read = async () => {
    const answer = await fetch(place.dataset.livePage, { headers: { "X-Requested-With": "live" }, redirect: "manual" });
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : answer.status;
  };
  const words = (node) => node.textContent.replace(/\s+/g, " ").trim();

  function mark(before, after) {
    const old = new Map([...before.querySelectorAll("dl > div")].map((row) => [words(row.querySelector("dt")), words(row.querySelector("dd"))]));
    after.querySelectorAll("dl > div").forEach((row) => {
      const name = words(row.querySelector("dt"));
      if (old.has(name) && old.get(name) !== words(row.querySelector("dd"))) row.classList.add("ab-fresh");
    });
  }

  function put(before, after) {
    if (before.isEqualNode(after)) return;
    const inner = before.matches(".ab-record, .ab-stack") && before.children.length === after.children.length;
    if (inner) { [...before.children].forEach((child, index) => put(child, after.children[index])); return; }
    const made = document.importNode(after, true), focused = document.activeElement;
    const links = "a, button, summary, [tabindex]", index = before.contains(focused) ? [...before.querySelectorAll(links)].indexOf(focused) : -1;
    const open = [...before.querySelectorAll("details")].map((node) => node.open);
    mark(before, made);
    before.replaceWith(made);
    made.querySelectorAll("details").forEach((node, number) => { node.open = open[number] ?? false; });
    if (index >= 0) made.querySelectorAll(links)[index]?.focus({ preventScroll: true });
    if (window.htmx) htmx.process(made);
  }

  function show(page, now) {
    const parts = [...document.querySelectorAll("[data-live-part]")], fresh = [...page.querySelectorAll("[data-live-part]")];
    if (parts.length !== fresh.length) { location.reload(); return; }
    parts.forEach((part, index) => put(part, fresh[index]));
    document.title = page.title;
    place.dataset.liveVersion = now.liveVersion;
    say("told", now.liveBy);
  }

  let reading = false, again = false;
  async function refresh() {
    if (reading) { again = true; return; }
    reading = true;
    try {
      const page = await read();
      const now = typeof page === "number" ? null : page.getElementById("live")?.dataset;
      if ([403, 404].includes(page)) say("gone");
      else if (now && Number(now.liveVersion) > Number(place.dataset.liveVersion)) {
        if (mode === "record") show(page, now); else say("changed", now.liveBy);
      }
    } catch { /* the network is away; the next event or the next connection asks again */ }
    reading = false;
    if (again) { again = false; refresh(); }
  }

  // ---- a list
  const made = new Set(), changed = new Set();
  const shown = (id) => document.querySelector(`#list [data-href$="/${CSS.escape(id)}"]`);
  const known = (id, version) => Number(shown(id)?.dataset.version ?? 0) >= version;
  async function offer() {
    const query = new URLSearchParams(location.search);
    query.delete("after"); query.delete("trail");
    query.set("new", [...made].slice(-50).join(","));
    query.set("changed", [...changed].filter(shown).length);
    const answer = await fetch(`${place.dataset.liveNews}?${query}`, { headers: { "X-Requested-With": "live" } }).catch(() => null);
    if (!answer?.ok) return;
    const said = document.importNode(new DOMParser().parseFromString(await answer.text(), "text/html").body, true);
    clear();
    said.querySelectorAll('a[href=""]').forEach((link) => { link.href = location.href; });
    place.append(...said.children);
  }
  const forget = () => { made.clear(); changed.clear(); clear(); };
  place.addEventListener("click", (event) => {
    const link = event.target.closest("[data-live-refresh]");
    if (!link || event.ctrlKey || event.metaKey || !window.htmx) return;
    event.preventDefault();
    const href = link.href;
    forget();
    htmx.ajax("GET", href, { target: "#list", select: "#list", swap: "outerHTML" }).then(() => { history.replaceState(history.state, "", href); document.getElementById("list")?.querySelector("a, button, input")?.focus({ preventScroll: true }); });
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (mode === "list" && event.target.id === "list") forget(); });

  // ---- what comes
  let due = 0;
  const soon = () => { clearTimeout(due); due = setTimeout(mode === "list" ? offer : refresh, GATHER); };
  function take(told) {
    heard = Date.now();
    cursor = told.cursor ?? cursor;
    if (told.reload) { if (mode === "list") say("stale"); else refresh(); }
    if (!told.event) return;
    const { id, version } = told.event.data, verb = told.event.type.split(".").pop();
    if (mode === "list") {
      if (verb === "updated" && version && known(id, version)) return; // moved here, by whoever looks at it
      if (verb === "created" || verb === "restored") made.add(id); else { changed.add(id); if (verb !== "updated") made.delete(id); }
      soon();
    } else if (verb !== "updated" || !version || version > Number(place.dataset.liveVersion)) soon();
  }

  // ---- the socket
  function connect() {
    clearTimeout(timer);
    if (socket || over || document.hidden) return;
    const query = new URLSearchParams({ subject, ...(cursor && { after: cursor }) });
    socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/events?${query}`);
    socket.onopen = () => { failures = 0; heard = Date.now(); };
    socket.onmessage = (event) => { place.dataset.live = "on"; take(JSON.parse(event.data)); };
    socket.onclose = (event) => {
      socket = null;
      delete place.dataset.live;
      over ||= FINAL.includes(event.code);
      failures += 1;
      timer = setTimeout(connect, Math.min(60000, 1000 * 2 ** failures) * (0.5 + Math.random()));
    };
  }
  setInterval(() => { if (socket?.readyState === WebSocket.OPEN && Date.now() - heard > SILENCE) socket.close(); }, 5000);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(away);
    if (document.hidden) away = setTimeout(() => socket?.close(), AWAY);
    else connect();
  });
  addEventListener("pagehide", () => { socket?.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) { failures = 0; connect(); } });
  connect();
})();
