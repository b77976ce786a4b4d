import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ProcessError, runProcess, startProcess } from "../../src/platform/platform.ts";
import { until } from "./until.ts";

/**
 * A room's TV: an X display with the window manager of the box's image, and a sound server with a loudspeaker that
 * nobody hears.
 */
export interface RoomTv extends AsyncDisposable {
  readonly display: string;
  readonly env: { PULSE_SERVER: string };
}

export async function startRoomTv(directory: string, size: { width: number; height: number }): Promise<RoomTv> {
  const stack = new AsyncDisposableStack();
  try {
    const screen = await startProcess(
      ["Xvfb", "-displayfd", "3", "-screen", "0", `${size.width}x${size.height}x24`, "-nolisten", "tcp"],
      { stdio: ["ignore", "ignore", "ignore", "pipe"] },
    );
    stack.defer(async () => void (await screen.stop(5_000)));
    const display = await new Promise<string>((resolve, reject) => {
      screen.extra[3]!.once("data", (text) => resolve(`:${String(text).trim()}`));
      void screen.exited.then(() => reject(new Error("Xvfb ended at once")));
    });
    const windows = await startProcess(["matchbox-window-manager", "-use_titlebar", "no"], {
      stdio: "ignore",
      env: { ...process.env, DISPLAY: display },
    });
    stack.defer(async () => void (await windows.stop(5_000)));
    const home = join(directory, "sound");
    await mkdir(home, { recursive: true, mode: 0o700 });
    const socket = join(home, "native");
    const sound = await startProcess(
      [
        ...["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"],
        ...["-L", `module-native-protocol-unix socket=${socket} auth-anonymous=1`],
        ...["-L", "module-null-sink sink_name=tv rate=48000"],
      ],
      { stdio: "ignore", env: { ...process.env, HOME: home, PULSE_RUNTIME_PATH: home } },
    );
    stack.defer(async () => void (await sound.stop(5_000)));
    const env = { PULSE_SERVER: `unix:${socket}` };
    await until("the sound server answers", async () => {
      try {
        return (await runProcess(["pactl", "info"], { env: { ...process.env, ...env } })).code === 0;
      } catch (error) {
        if (error instanceof ProcessError && error.code === "notFound") throw error;
        return false;
      }
    });
    const resources = stack.move();
    return { display, env, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
