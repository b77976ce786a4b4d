import { readdir } from "node:fs/promises";
import { join } from "node:path";

const IMAGES = join(import.meta.dirname, "../../build/image");

/** What `scripts/test appliance` builds, unless the environment says headless: half of the time, and no TV. */
export const applianceFlavour = (): "headless" | "screen" =>
  process.env["DIEMCAU_IMAGE_FLAVOUR"] === "headless" ? "headless" : "screen";

/** The disk image that `scripts/image` built last. */
export async function boxImage(name: "headless" | "screen" | "update-from"): Promise<string> {
  const folder = join(IMAGES, name);
  const found = (await readdir(folder).catch(() => [])).find((name) => name.endsWith(".raw"));
  if (found === undefined) throw new Error(`there is no image in ${folder}: scripts/image builds it for scripts/test`);
  return join(folder, found);
}

/** What `scripts/test update` builds: two releases of the headless box that believe one publisher, and the publisher's key. */
export const UPDATE_IMAGES = {
  image: () => boxImage("update-from"),
  nextRelease: join(IMAGES, "update-to/release"),
  keyFile: join(IMAGES, "publisher.key"),
  publicFile: join(IMAGES, "publisher.key.pub.pem"),
};
