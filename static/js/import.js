// The import pages: dropping a file, its size before it is sent, the key and the missing fields. All works without it.
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  one("[data-error-summary]")?.focus();

  // ---- upload
  const upload = one("[data-upload]");
  if (upload) {
    const zone = one("[data-drop]", upload), input = one("input[type=file]", upload), wrong = one("[data-wrong]", upload);
    const button = one("button[data-busy]", upload), label = one("span", button), before = label.textContent;
    const fits = () => {
      const file = input.files[0], large = file && file.size > Number(input.dataset.most);
      wrong.textContent = large ? input.dataset.tooLarge : "";
      input.classList.toggle("is-invalid", Boolean(large));
      input.setAttribute("aria-invalid", String(Boolean(large)));
      return !large;
    };
    input.addEventListener("change", fits);
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("is-over"); });
    zone.addEventListener("dragleave", (event) => { if (!zone.contains(event.relatedTarget)) zone.classList.remove("is-over"); });
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("is-over");
      if (!event.dataTransfer.files.length) return;
      const kept = new DataTransfer();
      kept.items.add(event.dataTransfer.files[0]);
      input.files = kept.files;
      fits();
      button.focus();
    });
    upload.addEventListener("submit", (event) => {
      if (!fits()) { event.preventDefault(); input.focus(); return; }
      label.textContent = button.dataset.busy;
      setTimeout(() => { button.disabled = true; });
    });
    addEventListener("pageshow", () => { button.disabled = false; label.textContent = before; });
  }

  // ---- columns
  const form = one("[data-columns]");
  if (form) {
    const update = () => {
      const mode = one("input[name=mode]:checked", form)?.value ?? "insert";
      one("[data-key]", form).hidden = mode === "insert";
      const taken = new Set(all("[data-target]", form).map((select) => select.value.split(":")[0]));
      const note = one("[data-required]", form);
      if (!note) return;
      const names = all("[data-field]", note);
      names.forEach((name) => { name.hidden = taken.has(name.dataset.field); });
      note.hidden = mode === "update" || names.every((name) => name.hidden);
    };
    form.addEventListener("change", update);
    addEventListener("pageshow", update);
    update();
  }

  // ---- one press is enough
  all("form[data-once]").forEach((once) => once.addEventListener("submit", () => setTimeout(() => { one("button", once).disabled = true; })));
  addEventListener("pageshow", () => all("form[data-once] button").forEach((button) => { button.disabled = false; }));
})();
