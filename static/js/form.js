// Record forms: focus on errors, guard unsaved changes, Ctrl S, look-up fields, keep mine or theirs.
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  one("[data-error-summary]")?.focus();

  // ---- unsaved changes
  const form = one("form[data-guard]");
  if (form) {
    const state = () => new URLSearchParams(new FormData(form)).toString();
    const first = state();
    let sending = false;
    const dirty = () => !sending && (form.dataset.dirty === "true" || state() !== first);
    form.addEventListener("submit", () => { sending = true; all("[type=submit]", form).forEach((button) => { setTimeout(() => { button.disabled = true; }); }); });
    addEventListener("beforeunload", (event) => { if (dirty()) event.preventDefault(); });
    addEventListener("pageshow", () => { sending = false; all("[type=submit]", form).forEach((button) => { button.disabled = false; }); });
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") { event.preventDefault(); form.requestSubmit(); }
    });
  }

  // ---- look-up fields: a text box that searches, a hidden field that keeps the id
  const listOf = (box) => document.getElementById(box.getAttribute("aria-controls"));
  const options = (box) => all('[role="option"]', listOf(box));
  const close = (box) => { listOf(box).replaceChildren(); box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); };
  const mark = (box, index) => {
    options(box).forEach((node, i) => node.setAttribute("aria-selected", String(i === index)));
    const node = options(box)[index];
    if (node) { box.setAttribute("aria-activedescendant", node.id); node.scrollIntoView({ block: "nearest" }); }
  };
  const marked = (box) => options(box).findIndex((node) => node.getAttribute("aria-selected") === "true");
  const hidden = (box) => one("input[type=hidden]", box.closest(".ab-lookup")) ?? {}; // a list of records has none
  const include = (field, node) => {
    const known = all("input[type=checkbox]", field).find((item) => item.value === node.dataset.value);
    if (known) { known.checked = true; return; }
    const chip = one("template", field).content.cloneNode(true);
    one("input", chip).value = node.dataset.value;
    one("bdi", chip).textContent = node.dataset.label || node.dataset.value;
    one("[data-chosen-list]", field).append(chip);
  };
  const choose = (box, node) => {
    const field = box.closest(".ab-lookup");
    if ("several" in field.dataset) { include(field, node); box.value = ""; close(box); box.focus(); return; }
    box.value = node.dataset.label; box.dataset.chosen = node.dataset.label;
    hidden(box).value = node.dataset.value;
    close(box); box.focus();
  };
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!event.target.matches(".ab-lookup-list")) return;
    const box = one(`[aria-controls="${event.target.id}"]`);
    if (document.activeElement !== box) { close(box); return; }
    box.setAttribute("aria-expanded", String(options(box).length > 0));
    mark(box, 0);
  });
  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.("[data-lookup]");
    if (!box || !options(box).length) return;
    const count = options(box).length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); mark(box, (marked(box) + (event.key === "ArrowDown" ? 1 : -1) + count) % count); }
    else if (event.key === "Enter" && marked(box) >= 0) { event.preventDefault(); choose(box, options(box)[marked(box)]); }
    else if (event.key === "Escape") { event.stopPropagation(); close(box); }
  }, true);
  document.addEventListener("mousedown", (event) => {
    const node = event.target.closest('.ab-lookup-list [role="option"]');
    if (node) { event.preventDefault(); choose(one(`[aria-controls="${node.parentElement.id}"]`), node); }
  });
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-lookup]")) return;
    close(event.target); // options of the text before are never chosen by a quick Enter
    if (!event.target.value) hidden(event.target).value = "";
  });
  document.addEventListener("focusout", (event) => {
    if (!event.target.matches("[data-lookup]")) return;
    const box = event.target;
    setTimeout(() => close(box), 120);
    if (hidden(box).value) box.value = box.dataset.chosen ?? box.value;
  });
})();
