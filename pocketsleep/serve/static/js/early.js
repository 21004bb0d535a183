// Before the first paint: the colours that were chosen, so that nothing flashes.
(function () {
  let name = "system";
  try { name = localStorage.getItem("pocketsleep.theme") || name; } catch { /* storage may be closed to us */ }
  const dark = name === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : name === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
