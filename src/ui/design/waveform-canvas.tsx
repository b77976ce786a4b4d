import { memo } from "preact/compat";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Span } from "./timeline-scale.ts";
import { type Sound, type Stretch, waveform } from "./waveform.ts";

interface Props {
  sound: Sound;
  stretches: readonly Stretch[];
  view: Span;
}

/** Room noise is below this: it is not drawn, so that words stand out. */
const NOISE = 40;

/** Drawn anew when the view changes, and not when the cursor moves. */
export const Waveform = memo(function Waveform({ sound, stretches, view }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    observer.observe(canvas.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current!;
    const context = element.getContext("2d");
    if (!context || width === 0) return;
    const height = element.clientHeight;
    element.width = width * devicePixelRatio;
    element.height = height * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    context.fillStyle = getComputedStyle(element).color;
    waveform(sound, stretches, view, width).forEach((level, column) => {
      if (level === 0) return;
      const tall = Math.max(1, (height * Math.max(0, level - NOISE)) / (255 - NOISE));
      context.fillRect(column, (height - tall) / 2, 1, tall);
    });
  }, [sound, stretches, view.from, view.to, width]);
  return <canvas class="waveform" ref={canvas} />;
});
