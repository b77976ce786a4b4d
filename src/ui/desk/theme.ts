/** Light, dark, or as the machine is set; remembered on this machine. */
export const THEMES = ["system", "light", "dark"] as const;
export type ThemeName = (typeof THEMES)[number];
const KEY = "diemcau.theme";

export function storedTheme(): ThemeName {
  const stored = localStorage.getItem(KEY);
  return THEMES.find((name) => name === stored) ?? "system";
}

export function applyTheme(name: ThemeName): void {
  localStorage.setItem(KEY, name);
  if (name === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = name;
}
