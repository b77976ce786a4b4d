import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runChecked } from "../../src/platform/platform.ts";
import { LIVE_KINDS, type PointId, type RoomState } from "../../src/protocol/protocol.ts";
import type { StickView } from "../../src/hub/http/views.ts";
import type { DeskClient } from "./desk-client.ts";
import type { Stand } from "./stand.ts";
import { until } from "./until.ts";
import { createVirtualMachine, type VirtualMachine, type VirtualMachineOptions } from "./virtual-machine.ts";

/** As a virtual machine sees the machine that it runs on. */
const HOST = "10.0.2.2";
/** What is on the image. */
const BAKED_CONFIG = join(import.meta.dirname, "../../appliance/root/usr/lib/diemcau/config.json");
/** What an emulated processor keeps up with. */
const CAPTURE = {
  // In the other of its two sound devices nobody speaks.
  source: { kind: "auto", microphones: ["plughw:CARD=Loopback,DEV=0"] },
  record: { width: 160, height: 120, frameRate: 5, maxBitrateKbps: 200 },
  live: { width: 160, height: 120, bitrateKbps: 60 },
};
/**
 * The loopback card offers periods of 2.7 ms, and FFmpeg takes the shortest that there is: 375 wake-ups a second through
 * all of its threads, which an emulated processor feels. With this it has 21 ms, as a card has.
 */
const ASOUNDRC = `pcm.!plughw {
  @args [ CARD DEV SUBDEV ]
  @args.CARD { type string }
  @args.DEV { type integer default 0 }
  @args.SUBDEV { type integer default 0 }
  type plug
  slave.pcm {
    type dsnoop
    ipc_key 790
    slave {
      pcm { type hw card $CARD device $DEV subdevice $SUBDEV }
      format S16_LE
      rate 48000
      channels 1
      period_size 1024
      buffer_size 16384
    }
  }
}
`;
/** Debian's spoken samples, into the other end of the sound card that the box records. */
const SPEAK =
  "while :; do for f in /usr/share/sounds/alsa/[FR]*.wav; do aplay -q -D plughw:CARD=Loopback,DEV=1 $$f || sleep 1; sleep 0.4; done; done";

/** systemd of the user that PipeWire runs under. */
export const SOUND_SERVER = "user@790.service";

/**
 * A box in a virtual machine with a camera (vivid) and a microphone (snd-aloop, in which somebody speaks): drivers of
 * the image's own kernel, found as any other.
 */
export interface VirtualRoomBox extends AsyncDisposable {
  readonly machine: VirtualMachine;
  readonly directory: string;
  /** What the room's screen shows. */
  roomState(): Promise<RoomState>;
  /** A copy of the box's own recordings, on this machine. */
  copyRecordings(): Promise<string>;
}

export async function startVirtualRoomBox(
  options: Pick<
    VirtualMachineOptions,
    "directory" | "image" | "display" | "memoryMib" | "powerCut" | "dropIns" | "tpm"
  > & {
    /** More of the box's configuration. */
    config?: object;
    /**
     * With PipeWire and its echo canceller from the start. They take more than one emulated processor has; without them
     * the agent opens the sound card itself.
     */
    soundServer?: boolean;
  },
): Promise<VirtualRoomBox> {
  const { directory } = options;
  const baked = JSON.parse(await readFile(BAKED_CONFIG, "utf8")) as object;
  const config = { ...baked, capture: CAPTURE, ...options.config };
  const oneShot = (what: string, script: string) =>
    `[Unit]\nDescription=${what}\nDefaultDependencies=no\nAfter=local-fs.target systemd-tmpfiles-setup.service systemd-modules-load.service\n` +
    `Before=user@790.service diemcau-agent.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c '${script}'\n`;
  const file = (text: string, path: string) => `echo ${Buffer.from(text).toString("base64")} | base64 -d >${path}`;
  const machine = await createVirtualMachine({
    ...options,
    ...(options.soundServer ? {} : { kernel: `systemd.mask=${SOUND_SERVER}` }),
    units: {
      "diemcau-test-config.service": oneShot(
        "Configuration of the test",
        `${file(JSON.stringify(config), "/var/lib/diemcau/config.json")}; ${file(ASOUNDRC, "/var/lib/diemcau/.asoundrc")}`,
      ),
      "diemcau-test-devices.service": oneShot(
        "Camera and microphone",
        "modprobe vivid n_devs=1 node_types=0x1 && modprobe snd-aloop",
      ),
      "diemcau-test-speech.service": `[Unit]\nDescription=Somebody speaks\nAfter=diemcau-test-devices.service user@790.service\n[Service]\nNice=-5\nExecStart=/bin/bash -c '${SPEAK}'\nRestart=always\n`,
    },
  });
  await machine.start();
  return {
    ...{ machine, directory },
    roomState: async () =>
      JSON.parse(
        await machine.shell(
          "exec 3<>/dev/tcp/127.0.0.1/7080; printf 'GET /api/room HTTP/1.0\\r\\nHost: 127.0.0.1:7080\\r\\n\\r\\n' >&3; sed '1,/^\\r*$/d' <&3",
        ),
      ) as RoomState,
    async copyRecordings() {
      const copy = join(directory, "recordings-copy");
      await rm(copy, { recursive: true, force: true });
      await mkdir(copy, { recursive: true });
      const tar = join(directory, "recordings.tar.gz");
      const text = await machine.shell("tar -C /var/lib/diemcau/recordings -cz . 2>/dev/null | base64 -w0", {
        withinMs: 120_000,
      });
      await writeFile(tar, Buffer.from(text, "base64"));
      await runChecked(["tar", "-xzf", tar, "-C", copy]);
      return copy;
    },
    [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose](),
  };
}

/** The box is up: nothing failed, and nothing waits for itself. */
export async function hasBooted({ machine }: VirtualRoomBox, withinMs = 400_000): Promise<void> {
  await until(
    "the box has started everything",
    async () => {
      const state = await machine.shell("systemctl is-system-running || true", { withinMs });
      return /^(running|degraded)$/m.test(state);
    },
    { withinMs, everyMs: 1_000 },
  );
}

/** Plugs in a stick that the hub made, and pulls it when the TV says that it was taken. */
export async function showHub(box: VirtualRoomBox, stand: Stand): Promise<void> {
  const { machine, directory } = box;
  const { fileName, text } = await stand.desk.request<StickView>("POST", "/api/stick", {
    host: HOST,
    port: String(stand.hub.tlsPort),
  });
  const folder = join(directory, "stick");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, fileName), text);
  await machine.plugStick(folder);
  const seen = (what: string, is: (state: RoomState) => boolean) =>
    until(what, async () => is(await box.roomState()), { withinMs: 60_000, everyMs: 500 });
  await seen("the stick is taken", ({ stick }) => stick?.state === "taken");
  await machine.pullStick();
  await seen("the stick is pulled", ({ stick }) => stick === null);
}

/** The code that the room's screen is told to show. */
export const pairingCode = (box: VirtualRoomBox): Promise<string> =>
  until(
    "the screen is told a code",
    async () => {
      const { pairing } = await box.roomState();
      return pairing.state === "code" && pairing.code;
    },
    { withinMs: 180_000, everyMs: 1_000 },
  );

/** Types the code of the room's screen at the desk, as two people on the telephone do. */
export async function pairRoomBox(
  box: VirtualRoomBox,
  desk: DeskClient,
  name: string,
  code?: string,
): Promise<PointId> {
  code ??= await pairingCode(box);
  const { point } = await desk.pair(code, name);
  await until(
    "the box is connected, picture and sound are live",
    async () => {
      const view = (await desk.rooms()).find((room) => room.point.name === name);
      return view?.connected && view.live.length === LIVE_KINDS.length;
    },
    { withinMs: 180_000, everyMs: 250 },
  );
  return point.id as PointId;
}
