// Runs before the first paint: theme and width of the navigation. Works from attributes, no inline code.
(() => {
  const root = document.documentElement;
  root.classList.remove("no-js");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const wish = root.dataset.theme;
    root.dataset.bsTheme = wish === "auto" ? (dark.matches ? "dark" : "light") : wish;
  };
  paint();
  dark.addEventListener("change", paint);
  try { if (localStorage.getItem("ab-nav") === "small") root.dataset.nav = "small"; } catch { /* storage refused */ }
  window.abTheme = (wish) => {
    root.dataset.theme = wish;
    document.cookie = `aibos_theme=${wish};path=/;max-age=31536000;samesite=lax`;
    paint();
  };
})();
