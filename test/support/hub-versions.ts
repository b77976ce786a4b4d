import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Other versions of the hub, made of a copy of this one. */

/** Replaces a text that must be there. */
export async function replaceIn(file: string, from: string, to: string): Promise<void> {
  const text = await readFile(file, "utf8");
  if (!text.includes(from)) throw new Error(`${file} does not hold ${from}`);
  await writeFile(file, text.replace(from, to));
}

/** @param name of the schema change; its first three digits make the name of the column */
export const addMigration = (folder: string, name: string): Promise<void> =>
  replaceIn(
    join(folder, "src/hub/database/migrations.ts"),
    "export const migrations: Record<string, Migration> = {",
    `export const migrations: Record<string, Migration> = {
      ${JSON.stringify(name)}: { async up(db: Kysely<unknown>) {
        await db.schema.alterTable("session").addColumn(${JSON.stringify(`of${name.slice(0, 3)}`)}, "text").execute();
      } },`,
  );

/** Stands well in the rehearsal, and dies a second after its start in the hub's own place, having changed the schema. */
export async function dies(folder: string, migration: string): Promise<void> {
  await addMigration(folder, migration);
  await replaceIn(
    join(folder, "src/hub/main.ts"),
    'log.info("hub.ready", ports);',
    `log.info("hub.ready", ports);
    if (config.dataDirectory === "/var/lib/diemcau-hub") setTimeout(() => process.exit(7), 1_000);`,
  );
}
