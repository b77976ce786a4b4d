/** Where decoded frames go. `paint` takes the frame over and closes it. */
export interface Screen {
  paint(frame: VideoFrame): void;
  close(): void;
}

/** https://www.w3.org/TR/mediacapture-transform/ in the form that Chromium has on the main thread; not in lib.dom. */
interface TrackGenerator extends MediaStreamTrack {
  readonly writable: WritableStream<VideoFrame>;
}
type TrackGeneratorConstructor = new (init: { kind: "video" }) => TrackGenerator;

/** The quickest way to a `<video>` that this browser has. */
export function createScreen(video: HTMLVideoElement): Screen {
  const Generator = (globalThis as { MediaStreamTrackGenerator?: TrackGeneratorConstructor }).MediaStreamTrackGenerator;
  return Generator ? generatorScreen(video, new Generator({ kind: "video" })) : canvasScreen(video);
}

function generatorScreen(video: HTMLVideoElement, generator: TrackGenerator): Screen {
  const writer = generator.writable.getWriter();
  let busy = false;
  // At most one frame waits: in a tab that is not drawn nothing may pile up.
  let next: VideoFrame | undefined;
  let closed = false;
  const stream = new MediaStream([generator]);
  const write = async (first: VideoFrame) => {
    busy = true;
    for (let frame: VideoFrame | undefined = first; frame; frame = next) {
      next = undefined;
      try {
        await writer.write(frame);
      } catch {
        // The track has ended.
      }
      // The generator closes what it took; a second close does nothing.
      frame.close();
    }
    busy = false;
  };
  return {
    paint(frame) {
      if (!closed) attach(video, stream);
      if (closed) frame.close();
      else if (busy) {
        next?.close();
        next = frame;
      } else void write(frame);
    },
    close() {
      closed = true;
      next?.close();
      next = undefined;
      generator.stop();
      void writer.abort().catch(() => {});
      video.srcObject = null;
    },
  };
}

/** For browsers without MediaStreamTrackGenerator (Firefox, Safari): one more copy, one frame later. */
function canvasScreen(video: HTMLVideoElement): Screen {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { alpha: false, desynchronized: true })!;
  const stream = canvas.captureStream();
  return {
    paint(frame) {
      attach(video, stream);
      if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
        canvas.width = frame.displayWidth;
        canvas.height = frame.displayHeight;
      }
      context.drawImage(frame, 0, 0);
      frame.close();
    },
    close() {
      for (const track of stream.getTracks()) track.stop();
      video.srcObject = null;
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
