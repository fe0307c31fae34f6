// The theme marks dark pages with a class, the design tokens with an attribute: keep the two in step.
(function () {
  const root = document.documentElement;
  const follow = () => root.setAttribute("data-bs-theme", root.classList.contains("dark") ? "dark" : "light");
  new MutationObserver(follow).observe(root, { attributes: true, attributeFilter: ["class"] });
  follow();
})();

// htmx would add its indicator's styles as an inline element, which the page's policy forbids.
if (window.htmx) window.htmx.config.includeIndicatorStyles = false;
