/**
 * Where decoded frames go, in two halves: the page has the element, the worker has the frames. `paint` takes a frame
 * over and says when it is closed.
 */
export interface Screen {
  paint(frame: VideoFrame): void;
  close(): void;
}

/** https://www.w3.org/TR/mediacapture-transform/ in the form that Chromium has on the main thread; not in lib.dom. */
interface TrackGenerator extends MediaStreamTrack {
  readonly writable: WritableStream<VideoFrame>;
}
type TrackGeneratorConstructor = new (init: { kind: "video" }) => TrackGenerator;

/** The page's half. */
export interface Canvas {
  /** Transferred to the worker, so that no frame passes the page's thread; null where the browser has no generator. */
  readonly track: WritableStream<VideoFrame> | null;
  /** A frame that came from the worker. */
  paint(frame: VideoFrame): void;
  /** There is a frame. */
  attach(): void;
  close(): void;
}

/** The quickest way to a `<video>` that this browser has. */
export function createCanvas(video: HTMLVideoElement): Canvas {
  const Generator = (globalThis as { MediaStreamTrackGenerator?: TrackGeneratorConstructor }).MediaStreamTrackGenerator;
  if (!Generator) return drawnCanvas(video);
  const generator = new Generator({ kind: "video" });
  const stream = new MediaStream([generator]);
  return {
    track: generator.writable,
    paint: (frame) => frame.close(),
    attach: () => attach(video, stream),
    close() {
      generator.stop();
      if (video.srcObject === stream) video.srcObject = null;
    },
  };
}

/** For browsers without MediaStreamTrackGenerator (Firefox, Safari): one more copy, one frame later. */
function drawnCanvas(video: HTMLVideoElement): Canvas {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { alpha: false, desynchronized: true })!;
  const stream = canvas.captureStream();
  return {
    track: null,
    paint(frame) {
      if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
        canvas.width = frame.displayWidth;
        canvas.height = frame.displayHeight;
      }
      context.drawImage(frame, 0, 0);
      frame.close();
    },
    attach: () => attach(video, stream),
    close() {
      for (const track of stream.getTracks()) track.stop();
      if (video.srcObject === stream) video.srcObject = null;
    },
  };
}

/** Not before there is a frame: an element that waits for its first one keeps the whole page from being loaded. */
function attach(video: HTMLVideoElement, stream: MediaStream): void {
  if (video.srcObject === stream) return;
  // Sound goes through the jitter buffer, never through the element.
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  video.srcObject = stream;
  // Refused only while the element is not in the page; autoplay starts it then.
  void video.play().catch(() => {});
}

/** The worker's half: into the transferred track. */
export function trackScreen(track: WritableStream<VideoFrame>, onClosed: () => void): Screen {
  const writer = track.getWriter();
  let busy = false;
  // At most one frame waits: in a tab that is not drawn nothing may pile up.
  let next: VideoFrame | undefined;
  let closed = false;
  const release = (frame: VideoFrame) => {
    // The generator closes what it took; a second close does nothing.
    frame.close();
    onClosed();
  };
  const write = async (first: VideoFrame) => {
    busy = true;
    for (let frame: VideoFrame | undefined = first; frame; frame = next) {
      next = undefined;
      try {
        await writer.write(frame);
      } catch {
        // The track has ended.
      }
      release(frame);
    }
    busy = false;
  };
  return {
    paint(frame) {
      if (closed) release(frame);
      else if (busy) {
        if (next) release(next);
        next = frame;
      } else void write(frame);
    },
    close() {
      closed = true;
      if (next) release(next);
      next = undefined;
      void writer.abort().catch(() => {});
    },
  };
}

/** The worker's half where there is no track: frames go to the page, two at most that it has not shown yet. */
export function postedScreen(
  post: (frame: VideoFrame) => void,
  onClosed: () => void,
): Screen & { painted: () => void } {
  let underWay = 0;
  let closed = false;
  return {
    paint(frame) {
      if (closed || underWay >= 2) frame.close();
      else {
        underWay++;
        post(frame);
      }
      onClosed();
    },
    painted: () => void underWay--,
    close: () => void (closed = true),
  };
}
