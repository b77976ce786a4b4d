import type { ReleaseView } from "../../hub/http/views.ts";
import type { Answer, Api } from "./api.ts";

export interface Upload {
  sentBytes: number;
  totalBytes: number;
}

/** One request's worth: a line that breaks costs no more than this. */
const PIECE_BYTES = 4 << 20;
const MANIFEST = "release.json";

const base64 = (bytes: ArrayBuffer): string => btoa(String.fromCharCode(...new Uint8Array(bytes)));

/**
 * Sends a release as its files lie in a folder. The hub judges the manifest before a byte of the rest is sent, and goes on from
 * what it has: choosing the same files again after a broken line continues.
 */
export async function uploadRelease(
  api: Pick<Api, "beginRelease" | "sendPiece">,
  files: readonly File[],
  onProgress: (upload: Upload) => void,
): Promise<Answer<ReleaseView>> {
  const named = new Map(files.map((file) => [file.name, file]));
  const [manifest, signature] = [named.get(MANIFEST), named.get(`${MANIFEST}.sig`)];
  if (!manifest || !signature) return { ok: false, code: "releaseRefused", reason: "truncated" };
  let answer = await api.beginRelease({
    manifest: await manifest.text(),
    signature: base64(await signature.arrayBuffer()),
  });
  if (!answer.ok) return answer;
  const { id, files: wanted } = answer.value;
  const totalBytes = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const { name, sizeBytes } of wanted) {
    const file = named.get(name);
    for (;;) {
      const have: number = answer.value.files.find((each) => each.name === name)!.haveBytes;
      onProgress({ sentBytes: answer.value.files.reduce((sum, { haveBytes }) => sum + haveBytes, 0), totalBytes });
      if (have >= sizeBytes) break;
      const piece = file?.slice(have, have + PIECE_BYTES);
      if (!piece?.size) return { ok: false, code: "releaseRefused", reason: "truncated" };
      answer = await api.sendPiece(id, name, have, piece);
      if (!answer.ok) return answer;
    }
  }
  return answer;
}
