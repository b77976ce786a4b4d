import { readStampRgba, stampHeight } from "../../../src/media/media.ts";

/**
 * A meeting system as small as one can be: two peers, WebRTC, signalling over one WebSocket. With `?role=far` it is the
 * far peer, whose picture is a stamp that counts and whose sound is a tone; without, it is what a room opens, and knows
 * nothing of this project.
 */
export interface Meeting {
  /** Stamps read from the other's picture, with the wall clock's milliseconds; the newest last. */
  stamps: { stamp: number; atMs: number }[];
  /** Level at this frequency in the other's sound, dB of full scale. */
  levelAt: (hertz: number) => number;
  /** Frames of the own picture that were drawn. */
  drawn: number;
  devices: string[];
}

declare global {
  interface Window {
    meeting: Meeting;
  }
}

const WIDTH = 320;
const HEIGHT = 180;
const FRAME_RATE = 20;
const TONE_HERTZ = 1_000;
const KEPT_STAMPS = 2_000;

const isFar = new URLSearchParams(location.search).get("role") === "far";
const video = document.createElement("video");
video.autoplay = video.playsInline = true;
document.body.append(video);
const sound = new AudioContext({ sampleRate: 48_000 });
const analyser = new AnalyserNode(sound, { fftSize: 4_096 });
const bins = new Float32Array(analyser.frequencyBinCount);
const meeting: Meeting = {
  stamps: [],
  levelAt(hertz) {
    analyser.getFloatFrequencyData(bins);
    const bin = Math.round((hertz * analyser.fftSize) / sound.sampleRate);
    return Math.max(...bins.subarray(bin - 2, bin + 3));
  },
  drawn: 0,
  devices: [],
};
window.meeting = meeting;

/** Forty blocks along the lower edge, as the box's stamp has them along the upper one, with a number in them. */
function drawStamp(context: CanvasRenderingContext2D, value: number): void {
  const check = ((value >>> 24) ^ ((value >>> 16) & 255) ^ ((value >>> 8) & 255) ^ (value & 255) ^ 0x5a) & 255;
  const block = WIDTH / 40;
  for (let i = 0; i < 40; i++) {
    const bit = i < 32 ? (value >>> (31 - i)) & 1 : (check >>> (39 - i)) & 1;
    context.fillStyle = bit ? "#fff" : "#000";
    context.fillRect(i * block, HEIGHT - 3 * block, block, 3 * block);
  }
}

function farStream(): MediaStream {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const context = canvas.getContext("2d")!;
  setInterval(() => {
    context.fillStyle = "#206040";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    drawStamp(context, ++meeting.drawn);
  }, 1_000 / FRAME_RATE);
  const tone = new OscillatorNode(sound, { frequency: TONE_HERTZ });
  const out = new MediaStreamAudioDestinationNode(sound);
  tone.connect(new GainNode(sound, { gain: 0.3 })).connect(out);
  tone.start();
  return new MediaStream([...canvas.captureStream(FRAME_RATE).getTracks(), ...out.stream.getTracks()]);
}

/** Reads the box's stamp from each frame of the other's picture. */
function readStamps(): void {
  const canvas = new OffscreenCanvas(1, 1);
  const look = () => {
    const { videoWidth: width, videoHeight: height } = video;
    if (width > 0 && height > 0) {
      [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d", { willReadFrequently: true })!;
      context.drawImage(video, 0, 0);
      const row = context.getImageData(0, stampHeight(width) >> 1, width, 1).data;
      const stamp = readStampRgba(row, width);
      if (stamp !== undefined && stamp !== meeting.stamps.at(-1)?.stamp)
        meeting.stamps.push({ stamp, atMs: performance.timeOrigin + performance.now() });
      if (meeting.stamps.length > KEPT_STAMPS) meeting.stamps.splice(0, KEPT_STAMPS / 2);
    }
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}

async function main(): Promise<void> {
  const own = isFar
    ? farStream()
    : await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
  meeting.devices = (await navigator.mediaDevices.enumerateDevices()).map(({ kind, label }) => `${kind}: ${label}`);
  if (isFar) readStamps();
  const socket = new WebSocket(`wss://${location.host}/signals`);
  const say = (message: object) => socket.send(JSON.stringify(message));
  let peer: RTCPeerConnection | undefined;
  const open = () => {
    peer?.close();
    const fresh = (peer = new RTCPeerConnection());
    for (const track of own.getTracks()) fresh.addTrack(track, own);
    fresh.addEventListener("icecandidate", ({ candidate }) => candidate && say({ candidate }));
    fresh.addEventListener("track", ({ streams: [stream] }) => {
      video.srcObject = stream!;
      void video.play();
      if (stream!.getAudioTracks().length > 0)
        new MediaStreamAudioSourceNode(sound, { mediaStream: stream! }).connect(analyser);
    });
    return fresh;
  };
  socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
    const message = JSON.parse(data) as {
      joined?: true;
      description?: RTCSessionDescriptionInit;
      candidate?: RTCIceCandidateInit;
    };
    const work = async () => {
      if (message.joined && isFar) {
        const fresh = open();
        await fresh.setLocalDescription();
        say({ description: fresh.localDescription });
      }
      if (message.description?.type === "offer") {
        const fresh = open();
        await fresh.setRemoteDescription(message.description);
        await fresh.setLocalDescription();
        say({ description: fresh.localDescription });
      } else if (message.description) await peer?.setRemoteDescription(message.description);
      if (message.candidate) await peer?.addIceCandidate(message.candidate);
    };
    void work();
  });
}

void main();
