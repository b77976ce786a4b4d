/** A picture is looked at with this few pixels: enough to tell a dark room from no room. */
const WIDTH = 32;
const HEIGHT = 18;
/** Of 255; limited range black decodes to about 0, a covered lens to less than this. */
const BLACK_BELOW = 16;

/** Whether every part of a video's present frame is black. False while it has none. */
export function isBlack(video: HTMLVideoElement): boolean {
  if (video.videoWidth === 0) return false;
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return false;
  context.drawImage(video, 0, 0, WIDTH, HEIGHT);
  const { data } = context.getImageData(0, 0, WIDTH, HEIGHT);
  return data.every((value, i) => i % 4 === 3 || value < BLACK_BELOW);
}
