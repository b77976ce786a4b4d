/** Long enough to aim at a button again. */
const SHOWN_MS = 3_000;

/**
 * A pointer is shown while somebody moves it (room.css): a remote control that is a mouse as well would leave one
 * standing in the middle of everybody's picture.
 */
export function showMovedPointer(): void {
  const { dataset } = document.documentElement;
  let hide: ReturnType<typeof setTimeout> | undefined;
  addEventListener("pointermove", () => {
    dataset["pointer"] = "moved";
    clearTimeout(hide);
    hide = setTimeout(() => delete dataset["pointer"], SHOWN_MS);
  });
}
