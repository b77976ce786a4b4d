import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { listDirectory, runProcess, type Clock } from "../../platform/platform.ts";
import { readHubConfig } from "../config.ts";
import { lookAtHub, mainProcess } from "./health.ts";
import { PLACES } from "./places.ts";
import { freeBytesFor, rowsOf } from "./system.ts";
import { words } from "./words.ts";

const DAY_MS = 24 * 3_600_000;
const LATE_BACKUP_MS = 2 * DAY_MS;

/** What an officer asks on the telephone, one line each; `ok` is false where something wants a hand. */
export async function status(version: string, clock: Clock): Promise<{ ok: boolean; lines: string[] }> {
  const config = await readHubConfig(PLACES.config);
  const lines: string[] = [];
  const troubles: string[] = [];
  const line = (name: string, value: string) => lines.push(`  ${`${name}:`.padEnd(22)}${value}`);
  line("Phiên bản", version);

  const pid = await mainProcess(PLACES.unit);
  const verdict = await lookAtHub(config, version);
  line("Máy chủ", verdict.ok ? `đang chạy tốt (tiến trình ${pid})` : `KHÔNG chạy tốt: ${verdict.reason}`);
  if (!verdict.ok) troubles.push("journalctl -u diemcau-hub --since -1h");
  const port = verdict.ok ? verdict.ports.tls : config.listen.port;
  line(
    "Địa chỉ",
    config.hostNames.map((name) => `https://${name.includes(":") ? `[${name}]` : name}:${port}`).join("  "),
  );

  try {
    const authority = (name: string) => readFile(join(config.dataDirectory, "authority", name));
    const ca = new X509Certificate(await authority("ca.pem"));
    line("Dấu vân tay gốc", ca.fingerprint256);
    const browser = new X509Certificate(await authority("browser.pem"));
    line("Chứng thư web", `đến ${browser.validTo} (tự gia hạn)`);
  } catch {
    line("Chứng thư", `không đọc được trong ${join(config.dataDirectory, "authority")}`);
  }
  const count = async (sql: string) => Number((await rowsOf(`SELECT count(*) AS n FROM ${sql}`))?.[0]?.["n"] ?? 0);
  line("Thiết bị đã ghép", String(await count("box WHERE revokedAt IS NULL")));
  const live = await count("session WHERE state IN ('live', 'paused')");
  line("Buổi tiếp", `${await count("session")}, đang diễn ra ${live}`);
  const freeGb = (await freeBytesFor(config.dataDirectory).catch(() => 0)) / 1e9;
  line("Còn trống", `${freeGb.toFixed(1)} GB trong ${config.dataDirectory}`);

  const newest = (await listDirectory(config.backup.directory))
    .map(({ name }) => /^diemcau-hub-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(name))
    .findLast((match) => match !== null);
  if (newest) {
    const [, y, mo, d, h, mi, s] = newest;
    const isLate = clock.wallMs() - Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`) > LATE_BACKUP_MS;
    line(
      "Sao lưu gần nhất",
      `${d}/${mo}/${y} ${h}:${mi} UTC trong ${config.backup.directory}${isLate ? " (ĐÃ CŨ)" : ""}`,
    );
    if (isLate) troubles.push("systemctl status diemcau-hub-backup");
  } else line("Sao lưu gần nhất", `chưa có trong ${config.backup.directory}`);

  const time = await runProcess(["timedatectl", "show", "--property=NTPSynchronized", "--value"]).catch(
    () => undefined,
  );
  const isSynced = time?.stdout.trim() === "yes";
  line("Đồng hồ", isSynced ? "đã đồng bộ" : words.clockOff);
  const bbr = await readFile("/proc/sys/net/ipv4/tcp_congestion_control", "utf8").catch(() => "?");
  line("Điều khiển tắc nghẽn", bbr.trim());
  if (troubles.length > 0) lines.push(`  Xem: ${troubles.join("; ")}`);
  return { ok: troubles.length === 0, lines };
}
