import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";
import { runChecked } from "../../src/platform/platform.ts";
import { COMPANION_SCRIPTS, companionScript } from "../../src/ui/vite.config.ts";
import { openMeeting, type Meeting } from "./meeting.ts";
import { startRoomTv, type RoomTv } from "./room-tv.ts";
import { raiseStand, type RoomProcess, type Stand } from "./stand.ts";

/** A hub, one room with a TV, and another meeting system with somebody in it. */
export interface CompanionStand extends AsyncDisposable {
  readonly stand: Stand;
  readonly room: RoomProcess;
  readonly meeting: Meeting;
  readonly tv: RoomTv;
}

const SCREEN = { width: 640, height: 360 };
export const SMALL_ROOM = {
  source: { kind: "virtual", label: "room" },
  record: { width: 320, height: 180, frameRate: 25, maxBitrateKbps: 600 },
  live: { width: 320, height: 180, bitrateKbps: 150 },
};
/** What the room's microphone hears. */
export const ROOM_TONE_HERTZ = 440;

export async function raiseCompanionStand(directory: string): Promise<CompanionStand> {
  const stack = new AsyncDisposableStack();
  try {
    const scripts = join(directory, "scripts");
    for (const name of COMPANION_SCRIPTS) await build({ ...companionScript(name, scripts), logLevel: "error" });
    const phrases = join(directory, "phrases");
    await mkdir(phrases, { recursive: true });
    const tone = `sine=frequency=${ROOM_TONE_HERTZ}:sample_rate=48000:duration=3,volume=12dB`;
    await runChecked(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", tone, "-ac", "1", join(phrases, "tone.wav")]);
    await mkdir(join(directory, "tv"));
    const tv = stack.use(await startRoomTv(join(directory, "tv"), SCREEN));
    await mkdir(join(directory, "meeting"));
    const meeting = stack.use(await openMeeting(join(directory, "meeting")));
    const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const stand = stack.use(
      await raiseStand({
        directory: join(directory, "stand"),
        rooms: [
          {
            name: "Xã Bình Minh",
            env: tv.env,
            capture: { ...SMALL_ROOM, source: { ...SMALL_ROOM.source, phrases } },
            config: {
              companion: {
                display: tv.display,
                scripts,
                record: { ...SCREEN, frameRate: 20, maxBitrateKbps: 1_500 },
                arguments: [
                  ...root,
                  ...["--disable-gpu", "--disable-quic", "--ignore-certificate-errors"],
                  // As a system out on the internet, which may not reach into this machine just so.
                  `--ip-address-space-overrides=127.0.0.1:${meeting.port}=public`,
                ],
              },
            },
          },
        ],
      }),
    );
    const resources = stack.move();
    return { stand, room: stand.rooms[0]!, meeting, tv, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
