// What every page shares: navigation, palette, shortcuts, messages, copying, popovers.
(() => {
  const root = document.documentElement;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const typing = (node) => node.closest("input, textarea, select, [contenteditable]");

  // ---- navigation
  const openNav = (open) => {
    root.classList.toggle("ab-nav-open", open);
    one("[data-nav-open]")?.setAttribute("aria-expanded", String(open));
    one(open ? ".ab-nav a" : "[data-nav-open]")?.focus();
  };
  const collapse = one("[data-nav-collapse]");
  const showCollapse = () => collapse?.setAttribute("aria-pressed", String(root.dataset.nav === "small"));
  showCollapse();

  // ---- messages
  const fade = (toast) => setTimeout(() => { if (!toast.matches(":hover, :focus-within")) toast.remove(); }, 9000);
  all("[data-toast]:not(.ab-toast-error)").forEach(fade);

  // ---- palette
  const palette = one("#palette");
  const paletteInput = palette && one("input", palette);
  const options = () => all('[role="option"]', palette);
  const mark = (index) => {
    const list = options();
    list.forEach((node, i) => node.setAttribute("aria-selected", String(i === index)));
    if (list[index]) {
      paletteInput.setAttribute("aria-activedescendant", list[index].id);
      list[index].scrollIntoView({ block: "nearest" });
    } else paletteInput.removeAttribute("aria-activedescendant");
  };
  const marked = () => options().findIndex((node) => node.getAttribute("aria-selected") === "true");
  const openPalette = () => {
    if (!palette || palette.open) return;
    palette.showModal();
    paletteInput.value = "";
    paletteInput.focus();
    window.htmx?.trigger(paletteInput, "load-palette");
  };
  paletteInput?.addEventListener("keydown", (event) => {
    const count = options().length;
    if (event.key === "Escape") { // a search box would only empty itself
      event.preventDefault();
      palette.close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (count) mark((marked() + (event.key === "ArrowDown" ? 1 : -1) + count) % count);
    } else if (event.key === "Enter") {
      event.preventDefault();
      options()[Math.max(marked(), 0)]?.click();
    }
  });
  palette?.addEventListener("htmx:afterSwap", () => mark(options().length ? 0 : -1));
  all("dialog.ab-palette").forEach((dialog) =>
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }));

  // ---- copying
  const copy = async (button) => {
    const source = one(button.dataset.copy);
    const text = source.value ?? source.textContent;
    try { await navigator.clipboard.writeText(text); } catch { source.select?.(); document.execCommand("copy"); }
    const label = one("span", button) ?? button;
    const before = label.textContent;
    label.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = before; }, 2000);
  };

  // ---- popovers made of <details>
  const closePops = (except) => all("details.ab-pop[open]").forEach((pop) => { if (!pop.contains(except)) pop.open = false; });
  document.addEventListener("toggle", (event) => {
    const pop = event.target;
    if (!pop.matches?.("details.ab-pop") || !pop.open) return;
    const body = one(".ab-pop-body", pop), box = body.getBoundingClientRect();
    if (box.left < 4) { body.style.insetInlineStart = root.dir === "rtl" ? "auto" : "0"; body.style.insetInlineEnd = root.dir === "rtl" ? "0" : "auto"; }
    one("input:not([type=hidden]), select, a, button", body)?.focus({ preventScroll: true });
  }, true);

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    closePops(event.target);
    if (hit("[data-nav-open]")) openNav(true);
    else if (hit("[data-nav-close]")) openNav(false);
    else if (hit("[data-nav-collapse]")) {
      if (root.dataset.nav === "small") delete root.dataset.nav; else root.dataset.nav = "small";
      try { localStorage.setItem("ab-nav", root.dataset.nav ?? ""); } catch { /* storage refused */ }
      showCollapse();
    } else if (hit("[data-dismiss]")) hit("[data-toast]").remove();
    else if (hit("[data-copy]")) copy(hit("[data-copy]"));
    else if (hit("[data-palette-open]")) openPalette();
    else if (hit("[data-shortcuts-help]")) { closePops(); one("#shortcuts")?.showModal(); }
    else if (hit("[data-theme-toggle]")) window.abTheme(root.dataset.bsTheme === "dark" ? "light" : "dark");
    else if (hit("[data-reload]")) location.reload();
    else if (hit("[data-back]")) history.back();
    else if (hit("[data-reveal]")) {
      const field = one(hit("[data-reveal]").dataset.reveal);
      const shown = field.type === "text";
      field.type = shown ? "password" : "text";
      hit("[data-reveal]").setAttribute("aria-pressed", String(!shown));
    }
  });

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); return; }
    if (event.key === "Escape") {
      if (root.classList.contains("ab-nav-open")) openNav(false);
      const pop = event.target.closest?.("details.ab-pop[open]") ?? one("details.ab-pop[open]");
      if (pop) { pop.open = false; one("summary", pop).focus(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || one("dialog[open]")) return;
    const go = { n: "[data-key-new]", e: "[data-key-edit]" }[event.key];
    if (event.key === "/") { event.preventDefault(); (one("[data-list-search]") ?? one("[data-global-search]"))?.focus(); }
    else if (event.key === "?") one("#shortcuts")?.showModal();
    else if (go && one(go)) { event.preventDefault(); one(go).click(); }
  });

  // ---- forms that act on change, and partial updates
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
    if (event.target.matches("[data-theme-choice]")) window.abTheme(event.target.value);
  });
  document.addEventListener("htmx:beforeRequest", () => document.body.classList.add("ab-busy"));
  document.addEventListener("htmx:afterRequest", () => document.body.classList.remove("ab-busy"));
  document.addEventListener("htmx:responseError", (event) => {
    const type = event.detail.xhr.getResponseHeader("Content-Type") ?? "";
    if (event.detail.xhr.status === 401) { location.reload(); return; }
    const toast = document.createElement("div");
    toast.className = "ab-toast ab-toast-error"; toast.dataset.toast = "";
    const icon = document.createElement("i"); icon.className = "ti ti-alert-circle"; icon.ariaHidden = "true";
    const text = document.createElement("p");
    text.textContent = type.startsWith("text/plain") ? event.detail.xhr.responseText : one("#content")?.dataset.failed || event.detail.xhr.statusText;
    const close = document.createElement("button"); close.type = "button"; close.className = "btn-close"; close.dataset.dismiss = ""; close.ariaLabel = "×";
    toast.append(icon, text, close); one("#toasts").append(toast);
  });
})();
