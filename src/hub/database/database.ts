import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { Kysely, SqliteDialect, type SqliteDatabase } from "kysely";
import { Migrator } from "kysely/migration";
import { migrations } from "./migrations.ts";
import type { Database } from "./schema.ts";

export type * from "./schema.ts";
export type HubDatabase = Kysely<Database>;

export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly code = "migrationFailed";
}

/** Kysely's SQLite dialect was written for better-sqlite3; node:sqlite differs in how parameters are passed. */
function nodeSqlite(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(sql) {
      const statement = database.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
        run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
        iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])) as IterableIterator<unknown>,
      };
    },
  };
}

/**
 * Opens (or makes) the hub's database and brings it to the newest schema.
 * WAL with synchronous=FULL: a commit that was acknowledged survives a power cut.
 * @param path file, or ":memory:" in tests
 */
export async function openDatabase(path: string): Promise<HubDatabase> {
  const sqlite = new DatabaseSync(path);
  sqlite.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000",
  );
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: nodeSqlite(sqlite) }) });
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } });
  const { error } = await migrator.migrateToLatest();
  if (error) {
    await db.destroy();
    throw new DatabaseError(`${path} could not be brought to this version's schema; it was left unchanged`, {
      cause: error,
    });
  }
  return db;
}
