import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { Kysely, SqliteAdapter, SqliteDialect, type SqliteDatabase } from "kysely";
import { Migrator, type Migration } from "kysely/migration";
import { migrations } from "./migrations.ts";
import { MEMORY, type Database } from "./schema.ts";

export { MEMORY } from "./schema.ts";
export type * from "./schema.ts";
export { createUpkeep } from "./upkeep.ts";
export type HubDatabase = Kysely<Database>;

/** What a long reader made the log grow by is given back at the next checkpoint. */
const WAL_LIMIT_BYTES = 16 * 1024 * 1024;

/** When this database was last put back to an earlier state, in seconds since 1970; 0: never. */
export async function readMemory(db: HubDatabase): Promise<number> {
  const row = await db.selectFrom("counter").select("value").where("name", "=", MEMORY).executeTakeFirst();
  return row?.value ?? 0;
}

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

/** SQLite takes schema changes in a transaction; Kysely assumes that it does not. */
class TransactionalDdl extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class HubDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalDdl();
  }
}

/** Names of the schema changes that a database has been through, in their order. */
export function schemaOf(sqlite: DatabaseSync): string[] {
  const made = sqlite.prepare("SELECT 1 FROM sqlite_master WHERE name = 'kysely_migration'").get();
  if (!made) return [];
  return sqlite
    .prepare("SELECT name FROM kysely_migration ORDER BY name")
    .all()
    .map((row) => String(row["name"]));
}

/** Names of the schema changes that this version knows. */
export const knownSchema = (): string[] => Object.keys(migrations).sort();

/**
 * What a later version of the hub has done to the database already. Since schema changes only add (a test holds them
 * to it), this version runs on it as it is: that is what a failed upgrade goes back to.
 */
const laterMigrations = (sqlite: DatabaseSync): Record<string, Migration> => {
  const newest = knownSchema().at(-1)!;
  const later = schemaOf(sqlite).filter((name) => name > newest);
  return Object.fromEntries(later.map((name) => [name, { up: () => Promise.resolve() }]));
};

/**
 * Opens (or makes) the hub's database and brings it to the newest schema.
 * WAL with synchronous=FULL: a commit that was acknowledged survives a power cut.
 * @param path file, or ":memory:" in tests
 */
export async function openDatabase(path: string): Promise<HubDatabase> {
  const sqlite = new DatabaseSync(path);
  sqlite.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;" +
      ` PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}`,
  );
  const db = new Kysely<Database>({ dialect: new HubDialect({ database: nodeSqlite(sqlite) }) });
  const all = { ...migrations, ...laterMigrations(sqlite) };
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(all) } });
  const { error } = await migrator.migrateToLatest();
  if (error) {
    await db.destroy();
    throw new DatabaseError(`${path} could not be brought to this version's schema; it was left unchanged`, {
      cause: error,
    });
  }
  return db;
}
