import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/**
 * True while the browser holds all sound back until a key is pressed. The box's own browser is told not to; a page
 * that somebody opened by hand is not.
 */
export function useHeldBack(): boolean {
  const heldBack = useSignal(false);
  useEffect(() => {
    const context = new AudioContext();
    const look = () => {
      heldBack.value = context.state === "suspended";
    };
    const wake = () => void context.resume().catch(() => {});
    context.addEventListener("statechange", look);
    for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, wake, { capture: true });
    look();
    return () => {
      for (const gesture of ["pointerdown", "keydown"]) removeEventListener(gesture, wake, { capture: true });
      context.removeEventListener("statechange", look);
      void context.close();
    };
  }, []);
  return heldBack.value;
}
