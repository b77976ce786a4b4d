import { COMPANION_FEED, COMPANION_SOUND_RATE, type CompanionDevices } from "../../protocol/protocol.ts";
import { COMPANION } from "../text/companion.ts";

/** Chromium's, from the draft on insertable streams of media (https://www.w3.org/TR/mediacapture-transform/). */
declare class MediaStreamTrackGenerator extends MediaStreamTrack {
  constructor(options: { kind: "audio" | "video" });
  readonly writable: WritableStream<VideoFrame | AudioData>;
}

const RECONNECT_MS = 500;
/** Sound that is this far from where the samples say it should be is placed anew. */
const RESYNC_MS = 200;
const IDS = { camera: "diem-cau-camera", microphone: "diem-cau-microphone", group: "diem-cau-box" };

/**
 * Stands for camera and microphone in a page of another meeting system: `getUserMedia` gives what the box's one capture
 * gives, and the page cannot tell it from a device. Runs in the page before any script of its own.
 */
export function shareDevices({ feed, picture }: CompanionDevices): void {
  // A page without a secure context has no devices either.
  if (!("mediaDevices" in navigator)) return;
  let opened: ReturnType<typeof openSource> | undefined;
  const source = () => (opened ??= openSource(feed));
  const own = MediaDevices.prototype;
  const enumerate = own.enumerateDevices.bind(navigator.mediaDevices);

  const settingsOf = (kind: string): MediaTrackSettings =>
    kind === "video"
      ? { ...picture, aspectRatio: picture.width / picture.height, deviceId: IDS.camera, groupId: IDS.group }
      : { sampleRate: COMPANION_SOUND_RATE, channelCount: 1, deviceId: IDS.microphone, groupId: IDS.group };
  /** The page's own copy, which it may stop and mute; it says of itself what a device would. */
  const trackOf = (original: MediaStreamTrack, asked: MediaTrackConstraints): MediaStreamTrack => {
    const track = original.clone();
    let constraints = asked;
    const settings = settingsOf(track.kind);
    Object.defineProperties(track, {
      label: { value: track.kind === "video" ? COMPANION.camera : COMPANION.microphone },
      getSettings: { value: () => ({ ...settings }) },
      getCapabilities: { value: () => ({ deviceId: settings.deviceId, groupId: settings.groupId }) },
      getConstraints: { value: () => constraints },
      // One size for everybody; the page's own encoder scales.
      applyConstraints: {
        value: async (wanted: MediaTrackConstraints = {}) => {
          constraints = wanted;
        },
      },
      clone: { value: () => trackOf(track, constraints) },
    });
    return track;
  };
  const wanted = (asked: boolean | MediaTrackConstraints | undefined) =>
    asked === undefined || asked === false ? undefined : asked === true ? {} : asked;

  own.getUserMedia = async (constraints = {}) => {
    const [audio, video] = [wanted(constraints.audio), wanted(constraints.video)];
    if (!audio && !video) throw new TypeError("At least one of audio and video must be requested");
    const { camera, microphone } = source();
    return new MediaStream([
      ...(audio ? [trackOf(microphone, audio)] : []),
      ...(video ? [trackOf(camera, video)] : []),
    ]);
  };
  own.enumerateDevices = async () => {
    const others = (await enumerate()).filter(({ kind }) => kind === "audiooutput");
    const device = (kind: MediaDeviceKind, deviceId: string, label: string): MediaDeviceInfo => {
      const facts = { kind, deviceId, groupId: IDS.group, label };
      const values = Object.entries({ ...facts, toJSON: () => facts }).map(([key, value]) => [key, { value }] as const);
      return Object.create(InputDeviceInfo.prototype, Object.fromEntries(values)) as MediaDeviceInfo;
    };
    return [
      device("audioinput", IDS.microphone, COMPANION.microphone),
      device("videoinput", IDS.camera, COMPANION.camera),
      ...others,
    ];
  };
}

/** One camera and one microphone for all that the page asks for, connected for as long as the page lives. */
function openSource(feed: string) {
  const camera = new MediaStreamTrackGenerator({ kind: "video" });
  const microphone = new MediaStreamTrackGenerator({ kind: "audio" });
  const show = pictureTo(camera.writable.getWriter());
  const say = soundTo(microphone.writable.getWriter());
  const connect = () => {
    const socket = new WebSocket(feed);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      const kind = new Uint8Array(data, 0, 1)[0];
      if (kind === COMPANION_FEED.picture) show(new Uint8Array(data, 1));
      if (kind === COMPANION_FEED.sound) say(data.slice(1));
    };
    socket.onclose = () => setTimeout(connect, RECONNECT_MS);
  };
  connect();
  return { camera, microphone };
}

/** Always the newest picture: one that comes while another is being decoded takes the place of any that waits. */
function pictureTo(writer: WritableStreamDefaultWriter<VideoFrame>): (jpeg: Uint8Array<ArrayBuffer>) => void {
  let waiting: Uint8Array<ArrayBuffer> | undefined;
  let busy = false;
  const decode = async (data: Uint8Array<ArrayBuffer>) => {
    const decoder = new ImageDecoder({ data, type: "image/jpeg" });
    try {
      const { image } = await decoder.decode();
      const frame = new VideoFrame(image, { timestamp: performance.now() * 1_000 });
      image.close();
      await writer.write(frame);
    } finally {
      decoder.close();
    }
  };
  const work = async () => {
    busy = true;
    for (let next = waiting; next; next = waiting) {
      waiting = undefined;
      // A picture that cannot be read is one picture less.
      await decode(next).catch(() => {});
    }
    busy = false;
  };
  return (jpeg) => {
    waiting = jpeg;
    if (!busy) void work();
  };
}

function soundTo(writer: WritableStreamDefaultWriter<AudioData>): (samples: ArrayBuffer) => void {
  let nextMs = Number.NEGATIVE_INFINITY;
  return (data) => {
    const numberOfFrames = data.byteLength >> 1;
    if (numberOfFrames === 0) return;
    const nowMs = performance.now();
    if (Math.abs(nowMs - nextMs) > RESYNC_MS) nextMs = nowMs;
    const sound = new AudioData({
      ...{ format: "s16", sampleRate: COMPANION_SOUND_RATE, numberOfChannels: 1, numberOfFrames },
      ...{ timestamp: nextMs * 1_000, data },
    });
    nextMs += (numberOfFrames * 1_000) / COMPANION_SOUND_RATE;
    writer.write(sound).catch(() => {});
  };
}
