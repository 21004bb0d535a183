// Light, dark, or as the system has it. The choice stays in this browser.

const KEY = "pocketsleep.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
export const CHOICES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

export const chosen = () => localStorage.getItem(KEY) || "system";

export function choose(name) {
  localStorage.setItem(KEY, name);
  apply();
}

function apply() {
  const name = chosen();
  document.documentElement.dataset.theme = name === "system" ? (dark.matches ? "dark" : "light") : name;
}

export function start() {
  apply();
  dark.addEventListener("change", apply);
}
