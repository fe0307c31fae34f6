// Conditions of a form: fields come and go, are needed or closed, as the values typed say. The server decides.
(() => {
  const form = document.querySelector("form[data-conditions]");
  if (!form) return;
  const field = (name) => form.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const fields = () => [...form.querySelectorAll("[data-field]")];
  const needed = new Set(fields().filter((node) => node.querySelector(".form-label.required")).map((node) => node.dataset.field));

  const show = (looks) => {
    const [hidden, readonly, required] = ["hidden", "readonly", "required"].map((key) => new Set(looks[key] ?? []));
    for (const node of fields()) {
      const name = node.dataset.field;
      // A box with a complaint stays: what is wrong must be seen.
      node.hidden = hidden.has(name) && !node.querySelector(".invalid-feedback");
      node.inert = readonly.has(name);
      node.classList.toggle("ab-locked", readonly.has(name));
      node.querySelector(".form-label")?.classList.toggle("required", required.has(name) || needed.has(name));
      for (const box of node.querySelectorAll("input:not([type=hidden]), select, textarea")) {
        if (required.has(name)) box.setAttribute("aria-required", "true");
        else if (!needed.has(name)) box.removeAttribute("aria-required");
      }
    }
    for (const section of form.querySelectorAll("section.card")) {
      const inside = [...section.querySelectorAll("[data-field]")];
      section.hidden = inside.length > 0 && inside.every((node) => node.hidden);
    }
    for (const [name, closed] of Object.entries({ ...Object.fromEntries(fields().map((node) => [node.dataset.field, []])), ...looks.closed })) {
      for (const option of field(name)?.querySelectorAll("option, input[type=radio], input[type=checkbox]") ?? []) {
        const shut = closed.includes(option.value) && !option.selected && !option.checked;
        option.disabled = shut;
        (option.tagName === "OPTION" ? option : option.closest("label") ?? option).hidden = shut;
      }
    }
  };

  let last = 0;
  let waiting;
  const ask = async () => {
    const mine = ++last;
    const answer = await fetch(form.dataset.conditions, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    if (answer?.ok && mine === last) show(await answer.json()); // a later question has a later answer
  };
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(ask, 200); };
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  show(JSON.parse(form.dataset.looks));
})();
