/** Hands a text to the browser as a file to be kept. */
export function saveText(fileName: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: fileName });
  link.click();
  URL.revokeObjectURL(url);
}

/** Lets the browser keep what the hub sends as a file, under the name that the hub gives it. */
export function saveFrom(path: string): void {
  Object.assign(document.createElement("a"), { href: path, download: "" }).click();
}
