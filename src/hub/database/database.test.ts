import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kysely, SqliteDialect, type SqliteDatabase } from "kysely";
import { expect, test } from "vitest";
import { knownSchema, openDatabase, schemaOf } from "./database.ts";
import { migrations } from "./migrations.ts";

type Column = { name: string; type: string; notnull: number; dflt_value: string | null };

const columnsOf = (sqlite: DatabaseSync): Map<string, Column[]> => {
  const tables = sqlite.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  return new Map(
    tables.map(({ name }) => [
      String(name),
      sqlite.prepare(`SELECT * FROM pragma_table_info('${String(name)}')`).all() as Column[],
    ]),
  );
};

/** What an older hub would miss, or could not write, on a newer schema. */
function faults(before: Map<string, Column[]>, after: Map<string, Column[]>): string[] {
  return [...before].flatMap(([table, columns]) => {
    const now = after.get(table);
    if (!now) return [`${table} is gone`];
    const lost = columns.filter((old) => !now.some((c) => c.name === old.name && c.type === old.type));
    const demanded = now.filter(
      (c) => c.notnull === 1 && c.dflt_value === null && !columns.some((old) => old.name === c.name),
    );
    return [...lost.map((c) => `${table}.${c.name} is gone`), ...demanded.map((c) => `${table}.${c.name} is demanded`)];
  });
}

const adapt = (database: DatabaseSync): SqliteDatabase => ({
  close: () => database.close(),
  prepare(sql) {
    const statement = database.prepare(sql);
    return {
      reader: statement.columns().length > 0,
      all: () => statement.all(),
      run: () => statement.run(),
      iterate: () => statement.iterate(),
    };
  },
});

test("no schema change takes away what the version before needs: a failed upgrade goes back to it", async () => {
  const sqlite = new DatabaseSync(":memory:");
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: adapt(sqlite) }) });
  const found: string[] = [];
  for (const name of knownSchema()) {
    const before = columnsOf(sqlite);
    await migrations[name]!.up(db);
    found.push(...faults(before, columnsOf(sqlite)).map((fault) => `${name}: ${fault}`));
  }
  expect(columnsOf(sqlite).size).toBeGreaterThan(15);
  expect(found).toEqual([]);
  // The judge sees both kinds of harm.
  const before = columnsOf(sqlite);
  sqlite.exec("ALTER TABLE bag DROP COLUMN viewing; ALTER TABLE stage RENAME COLUMN body TO contents");
  expect(faults(before, columnsOf(sqlite))).toEqual([
    "bag.viewing is gone",
    "stage.body is gone",
    "stage.contents is demanded",
  ]);
  await db.destroy();
});

test("a database that a later version has changed is opened and kept as it is; a stranger's is refused", async () => {
  const directory = await mkdtemp(join(tmpdir(), "database-"));
  try {
    const path = join(directory, "hub.db");
    await (await openDatabase(path)).destroy();
    const note = (name: string) => {
      const sqlite = new DatabaseSync(path);
      sqlite.prepare("INSERT INTO kysely_migration (name, timestamp) VALUES (?, '2099-01-01T00:00:00.000Z')").run(name);
      sqlite.close();
    };
    note("999-of-tomorrow");
    const db = await openDatabase(path);
    expect(await db.selectFrom("user").select("id").execute()).toEqual([]);
    await db.destroy();
    const sqlite = new DatabaseSync(path);
    expect(schemaOf(sqlite).at(-1)).toBe("999-of-tomorrow");
    sqlite.close();
    note("000-of-somebody-else");
    await expect(openDatabase(path)).rejects.toMatchObject({ code: "migrationFailed" });
  } finally {
    await rm(directory, { recursive: true });
  }
});
