// Inputs of the richer field types: slider, colour, tags, rich text, signature, rows. Without scripts each is a plain input.
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const tell = (input) => input.dispatchEvent(new Event("input", { bubbles: true }));

  // ---- slider and colour: a picker beside the box that is sent
  const pair = (picker, box, good) => {
    if (!box) return;
    picker.addEventListener("input", () => { box.value = picker.value; tell(box); });
    box.addEventListener("input", (event) => { if (event.isTrusted && good(box.value)) picker.value = box.value; });
  };

  // ---- tags: marks in front of a box; the named input keeps the words
  const tags = (box) => {
    const input = one("input", box), typed = document.createElement("input");
    const words = () => input.value.split(",").map((word) => word.trim()).filter(Boolean);
    typed.className = "ab-tags-type"; typed.type = "text"; typed.id = input.id; typed.autocomplete = "off";
    for (const name of ["aria-describedby", "aria-invalid", "aria-required"]) if (input.hasAttribute(name)) typed.setAttribute(name, input.getAttribute(name));
    input.type = "hidden"; input.removeAttribute("id"); box.classList.add("is-live"); box.append(typed);
    const draw = () => {
      all(".ab-tag", box).forEach((node) => node.remove());
      for (const word of words()) {
        const tag = document.createElement("span"), text = document.createElement("bdi"), drop = document.createElement("button");
        tag.className = "ab-tag ab-tag-plain"; text.textContent = word; drop.type = "button"; drop.textContent = "×";
        drop.setAttribute("aria-label", `${box.dataset.remove}: ${word}`);
        drop.addEventListener("click", () => { keep(words().filter((other) => other !== word)); typed.focus(); });
        tag.append(text, drop); typed.before(tag);
      }
    };
    const keep = (list) => { input.value = [...new Set(list)].join(", "); tell(input); draw(); };
    const take = () => { if (typed.value.trim()) { keep([...words(), ...typed.value.split(/[,;]/).map((word) => word.trim()).filter(Boolean)]); typed.value = ""; } };
    typed.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === ",") && typed.value.trim()) { event.preventDefault(); take(); }
      else if (event.key === "Backspace" && !typed.value) keep(words().slice(0, -1));
    });
    typed.addEventListener("blur", take);
    draw();
  };

  // ---- rich text: an editable box over the textarea, which keeps the HTML; the server cleans both ways
  const rich = (box) => {
    const area = one("textarea", box), bar = one(".ab-rich-bar", box), text = one(".ab-rich-text", box);
    text.contentEditable = "true"; text.innerHTML = area.value; text.id = area.id; area.removeAttribute("id");
    text.hidden = bar.hidden = false; area.hidden = true; area.required = false;
    const keep = () => { area.value = text.textContent.trim() ? text.innerHTML : ""; tell(area); };
    text.addEventListener("input", keep);
    text.addEventListener("paste", (event) => {
      event.preventDefault();
      document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
    });
    const act = (button) => {
      text.focus();
      if (button.dataset.do) document.execCommand(button.dataset.do);
      else if (button.dataset.block) {
        const now = document.queryCommandValue("formatBlock").toLowerCase();
        document.execCommand("formatBlock", false, now === button.dataset.block ? "p" : button.dataset.block);
      } else {
        const href = prompt(button.dataset.link, "https://");
        if (href && /^(https?:|mailto:|tel:)/i.test(href)) document.execCommand("createLink", false, href);
      }
      keep();
    };
    const buttons = all("button", bar);
    buttons.forEach((button, place) => {
      button.tabIndex = place ? -1 : 0;
      button.addEventListener("mousedown", (event) => event.preventDefault());
      button.addEventListener("click", () => act(button));
    });
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const back = getComputedStyle(bar).direction === "rtl" ? -1 : 1;
      const next = buttons[(buttons.indexOf(document.activeElement) + step * back + buttons.length) % buttons.length];
      buttons.forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
      next.focus();
    });
    const pressed = () => buttons.forEach((button) => {
      if (["bold", "italic", "underline", "strikeThrough"].includes(button.dataset.do)) button.setAttribute("aria-pressed", String(document.queryCommandState(button.dataset.do)));
    });
    document.addEventListener("selectionchange", () => { if (text.contains(document.activeElement)) pressed(); });
  };

  // ---- signature: drawn with a pointer, or typed by name
  const sign = (box) => {
    const canvas = one("canvas", box), kept = one("input[type=hidden]", box), image = one("img", box), name = one("[data-sign-name]", box);
    const pen = canvas.getContext("2d");
    let drawing = false;
    const blank = () => { pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height); pen.strokeStyle = pen.fillStyle = "#14213d"; pen.lineWidth = 2.4; pen.lineCap = pen.lineJoin = "round"; };
    const keep = () => { kept.value = canvas.toDataURL("image/png"); tell(kept); };
    const open = () => { image.hidden = true; canvas.hidden = false; blank(); };
    const at = (event) => { const place = canvas.getBoundingClientRect(); return [(event.clientX - place.left) * canvas.width / place.width, (event.clientY - place.top) * canvas.height / place.height]; };
    canvas.addEventListener("pointerdown", (event) => { drawing = true; canvas.setPointerCapture(event.pointerId); pen.beginPath(); pen.moveTo(...at(event)); });
    canvas.addEventListener("pointermove", (event) => { if (drawing) { pen.lineTo(...at(event)); pen.stroke(); } });
    canvas.addEventListener("pointerup", () => { if (drawing) { drawing = false; keep(); } });
    name.addEventListener("input", () => {
      open();
      pen.font = "italic 44px cursive"; pen.textBaseline = "middle"; pen.textAlign = "center"; pen.direction = getComputedStyle(name).direction;
      pen.fillText(name.value, canvas.width / 2, canvas.height / 2, canvas.width - 40);
      if (name.value.trim()) keep(); else { kept.value = ""; tell(kept); }
    });
    one("[data-sign-clear]", box).addEventListener("click", () => { name.value = ""; kept.value = ""; tell(kept); open(); });
    if (!kept.value) open();
  };

  // ---- rows of a repeater
  const rows = (box) => {
    const spare = one("template", box), add = one("[data-row-add]", box);
    const list = () => all("[data-row]", box);
    const filled = (row) => all("input:not([type=hidden]), select, textarea", row).some((input) => (input.type === "checkbox" || input.type === "radio" ? input.checked : input.value));
    let next = list().length;
    const last = list().at(-1);
    if (last && !filled(last)) last.remove(); // the empty row is for browsers without scripts
    add.addEventListener("click", () => {
      const row = document.createElement("div");
      row.innerHTML = spare.innerHTML.replaceAll("__new__", String(next++));
      const made = row.firstElementChild;
      add.before(made); enliven(made); one("input:not([type=hidden]), select, textarea", made)?.focus();
    });
    box.addEventListener("click", (event) => {
      const drop = event.target.closest("[data-row-drop]");
      if (!drop) return;
      const row = drop.closest("[data-row]"), other = row.nextElementSibling?.matches("[data-row]") ? row.nextElementSibling : row.previousElementSibling;
      row.remove();
      (one("input:not([type=hidden]), select, textarea", other?.matches?.("[data-row]") ? other : add.parentElement) ?? add).focus();
    });
  };

  const enliven = (from) => {
    all("[data-slider]", from).forEach((picker) => pair(picker, document.getElementById(picker.dataset.slider), (value) => value !== "" && !Number.isNaN(Number(value))));
    all("[data-color]", from).forEach((picker) => pair(picker, document.getElementById(picker.dataset.color), (value) => /^#[0-9a-f]{6}$/i.test(value)));
    all("[data-tags]", from).forEach(tags);
    all("[data-rich]", from).forEach(rich);
    all("[data-sign]", from).forEach(sign);
    all("[data-rows]", from).forEach(rows);
  };
  enliven(document);
})();
