// Boards and calendars: cards are dragged, moved by keys or through a menu; the server decides, the page follows.
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const list = () => one("#list[data-placing]");
  const lanes = () => all("[data-board] [data-lane]");
  const laneOf = (node) => node.closest("[data-lane]");
  const rtl = () => document.documentElement.dir === "rtl";
  let dragged = null;

  const say = (text) => { const place = one("[data-said]"); if (place) place.textContent = text; };
  const words = (name, card, lane) => one("#move").dataset[name].replace("%card", card.dataset.title).replace("%lane", lane?.dataset.label ?? "");
  const complain = (text) => {
    const toast = document.createElement("div"); toast.className = "ab-toast ab-toast-error"; toast.dataset.toast = "";
    const icon = document.createElement("i"); icon.className = "ti ti-alert-circle"; icon.ariaHidden = "true";
    const said = document.createElement("p"); said.textContent = text;
    const close = document.createElement("button"); close.type = "button"; close.className = "btn-close"; close.dataset.dismiss = ""; close.ariaLabel = "×";
    toast.append(icon, said, close); one("#toasts").append(toast);
  };

  async function place(card, target) {
    const source = laneOf(card), ul = one("[data-cards]", target), next = card.nextSibling, home = card.parentElement;
    if (!target || target === source || !card.classList.contains("is-movable")) return;
    const focused = card.contains(document.activeElement), root = list();
    ul.prepend(card); card.classList.add("is-sent");
    if (focused) one("a", card).focus(); // a node that is moved loses it
    const put = () => { home.insertBefore(card, next); card.classList.remove("is-sent"); if (focused) one("a", card).focus(); };
    const body = new URLSearchParams({ field: root.dataset.placing, value: target.dataset.lane, match: card.dataset.version, back: root.dataset.query });
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
    const answer = await fetch(`/o/${root.dataset.object}/${card.dataset.card}/move`, { method: "POST", body, headers: { "X-CSRFToken": token, "HX-Request": "true", "X-Board": "1" } }).catch(() => null);
    if (!answer?.ok) { put(); complain(answer ? await answer.text() : words("kept", card)); say(words("kept", card)); return; }
    const id = card.dataset.card, done = words("moved", card, target), page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = one("[data-board] table, table[data-board]", page) ? all("[data-lane]", page) : all("section[data-lane]", page);
    fresh.forEach((lane) => {
      const old = lanes().find((item) => item.dataset.lane === lane.dataset.lane);
      if (!old || old.isEqualNode(lane)) return;
      const made = document.importNode(lane, true);
      old.replaceWith(made); window.htmx?.process(made);
    });
    const now = one(`[data-board] [data-card="${id}"]`);
    now?.classList.add("is-new");
    if (focused) (one("a", now ?? target) ?? one("[data-board]")).focus();
    say(done);
  }

  // ---- by pointer
  document.addEventListener("dragstart", (event) => {
    const card = event.target.closest?.("[data-card][draggable]");
    if (!card || !list()) return;
    dragged = card;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", card.dataset.title);
    requestAnimationFrame(() => card.classList.add("is-dragged"));
  });
  const over = (lane) => lanes().forEach((item) => item.classList.toggle("is-over", item === lane));
  document.addEventListener("dragover", (event) => {
    if (!dragged) return;
    const lane = event.target.closest?.("[data-lane]");
    over(lane && lane !== laneOf(dragged) ? lane : null);
    if (lane) { event.preventDefault(); event.dataTransfer.dropEffect = "move"; }
  });
  document.addEventListener("drop", (event) => {
    const lane = event.target.closest?.("[data-lane]");
    if (dragged && lane) { event.preventDefault(); place(dragged, lane); }
  });
  document.addEventListener("dragend", () => { dragged?.classList.remove("is-dragged"); dragged = null; over(null); });

  // ---- by menu
  let chosen = null;
  const open = (card) => {
    const menu = one("#move");
    if (!menu || !card?.classList.contains("is-movable")) return;
    chosen = card;
    one("#move-title").title = card.dataset.title;
    const place = one("[data-move-list]", menu), day = one("#move-day");
    if (day) day.value = laneOf(card).dataset.lane;
    else place.replaceChildren(...lanes().map((lane) => {
      const button = document.createElement("button"); button.type = "button"; button.dataset.moveTo = lane.dataset.lane;
      const dot = document.createElement("span"); dot.className = "ab-dot"; dot.ariaHidden = "true";
      button.className = [...lane.classList].filter((name) => name.startsWith("ab-lane-")).join(" ");
      button.append(dot, lane.dataset.label);
      if (lane === laneOf(card)) button.setAttribute("aria-current", "true");
      return button;
    }));
    menu.showModal();
    (day ?? one("[data-move-to]:not([aria-current])", menu))?.focus();
  };
  const send = (key) => { const card = chosen, lane = lanes().find((item) => item.dataset.lane === key); one("#move").close(); if (lane) place(card, lane); else if (card) jump(card, key); };
  const jump = (card, key) => { // a day of another month: the page is not showing it
    const root = list(), form = document.createElement("form");
    form.method = "post"; form.action = `/o/${root.dataset.object}/${card.dataset.card}/move`; form.hidden = true;
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
    for (const [name, value] of Object.entries({ field: root.dataset.placing, value: key, match: card.dataset.version, back: root.dataset.query, csrfmiddlewaretoken: token })) {
      const input = document.createElement("input"); input.name = name; input.value = value; form.append(input);
    }
    document.body.append(form); form.submit();
  };
  document.addEventListener("click", (event) => {
    const menu = event.target.closest("[data-card-menu]"), to = event.target.closest("[data-move-to]");
    if (menu) { open(menu.closest("[data-card]")); return; }
    if (to) { send(to.dataset.moveTo); return; }
    const card = event.target.closest("li[data-href]");
    if (!card || event.target.closest("a, button, input, label, summary") || getSelection().toString()) return;
    if (event.ctrlKey || event.metaKey) window.open(card.dataset.href); else location.href = card.dataset.href;
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-move-day]")) { event.preventDefault(); send(one("#move-day").value); }
  });

  // ---- by keys: arrows go from card to card, with Shift they take the card along
  const step = (card, by) => { const row = lanes(), at = row.indexOf(laneOf(card)) + by; return row[at]; };
  document.addEventListener("keydown", (event) => {
    const card = event.target.closest?.("[data-board] [data-card]");
    if (!card || event.ctrlKey || event.metaKey || event.altKey || !list()) return;
    const calendar = laneOf(card).matches("td"), key = event.key;
    const side = { ArrowRight: rtl() ? -1 : 1, ArrowLeft: rtl() ? 1 : -1 }[key], updown = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (key === "m") { event.preventDefault(); open(card); return; }
    if (!side && !updown) return;
    if (event.shiftKey && (side || calendar)) {
      const target = step(card, side ?? updown * 7);
      if (target) { event.preventDefault(); place(card, target); }
      return;
    }
    if (event.shiftKey) return;
    event.preventDefault();
    if (updown) {
      const cards = all("[data-board] [data-card]"), next = calendar ? cards[cards.indexOf(card) + updown] : all("[data-card]", laneOf(card)).at(all("[data-card]", laneOf(card)).indexOf(card) + updown);
      if (next && (calendar || cards.indexOf(next) - cards.indexOf(card) === updown)) one("a", next).focus();
      return;
    }
    for (let lane = step(card, side), n = side; lane; n += side, lane = step(card, n)) {
      const found = one("[data-card] a", lane);
      if (found) { found.focus(); found.scrollIntoView({ block: "nearest", inline: "nearest" }); return; }
    }
  });
})();
