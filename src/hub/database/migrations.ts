import { sql, type Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/**
 * Applied in the order of their names, each once, all that are due in one transaction. A migration that has been
 * released never changes, and none takes anything away: the version before runs on the schema after it.
 */
export const migrations: Record<string, Migration> = {
  "001-first-light": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("user")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("login", "text", (c) => c.notNull().unique())
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("role", "text", (c) => c.notNull())
        .addColumn("passwordHash", "text", (c) => c.notNull())
        .addColumn("mustChangePassword", "integer", (c) => c.notNull())
        .addColumn("createdAt", "text", (c) => c.notNull())
        .execute();
      await db.schema
        .createTable("signIn")
        .addColumn("tokenHash", "text", (c) => c.primaryKey())
        .addColumn("userId", "text", (c) => c.notNull().references("user.id").onDelete("cascade"))
        .addColumn("createdAt", "text", (c) => c.notNull())
        .addColumn("expiresAt", "text", (c) => c.notNull())
        .execute();
      await db.schema
        .createTable("bridgePoint")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("name", "text", (c) => c.notNull().unique())
        .addColumn("createdAt", "text", (c) => c.notNull())
        .execute();
      await db.schema
        .createTable("box")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("pointId", "text", (c) => c.notNull().references("bridgePoint.id"))
        .addColumn("serial", "text", (c) => c.notNull().unique())
        .addColumn("certificatePem", "text", (c) => c.notNull())
        .addColumn("pairedAt", "text", (c) => c.notNull())
        .addColumn("revokedAt", "text")
        .addColumn("seenAt", "text")
        .execute();
      // A point has at most one box in force; replaced and revoked ones stay, since their keys verify old records.
      await db.schema
        .createIndex("boxInForce")
        .on("box")
        .column("pointId")
        .unique()
        .where(sql.ref("revokedAt"), "is", null)
        .execute();
      await db.schema
        .createTable("session")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("state", "text", (c) => c.notNull())
        .addColumn("scheduledAt", "text")
        .addColumn("createdAt", "text", (c) => c.notNull())
        .addColumn("startedAt", "text")
        .addColumn("endedAt", "text")
        .execute();
      await db.schema
        .createTable("sessionPoint")
        .addColumn("sessionId", "text", (c) => c.notNull().references("session.id"))
        .addColumn("pointId", "text", (c) => c.notNull().references("bridgePoint.id"))
        .addColumn("role", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("sessionPointKey", ["sessionId", "pointId"])
        .execute();
      await db.schema
        .createTable("sessionEvent")
        .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
        .addColumn("sessionId", "text", (c) => c.notNull().references("session.id"))
        .addColumn("at", "text", (c) => c.notNull())
        .addColumn("kind", "text", (c) => c.notNull())
        .addColumn("actor", "text")
        .addColumn("pointId", "text", (c) => c.references("bridgePoint.id"))
        .execute();
      await db.schema
        .createTable("take")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("boxId", "text", (c) => c.notNull().references("box.id"))
        .addColumn("sessionId", "text", (c) => c.notNull().references("session.id"))
        .addColumn("pointId", "text", (c) => c.notNull().references("bridgePoint.id"))
        .addColumn("nextN", "integer", (c) => c.notNull())
        .addColumn("tipHash", "text")
        .addColumn("nextSeq", "integer", (c) => c.notNull())
        .addColumn("ended", "integer", (c) => c.notNull())
        .addColumn("startedAt", "text", (c) => c.notNull())
        .execute();
      await db.schema.createIndex("takeBySession").on("take").columns(["sessionId", "pointId"]).execute();
      await db.schema
        .createTable("record")
        .addColumn("takeId", "text", (c) => c.notNull().references("take.id"))
        .addColumn("n", "integer", (c) => c.notNull())
        .addColumn("kind", "text", (c) => c.notNull())
        .addColumn("record", "text", (c) => c.notNull())
        .addColumn("signature", "text", (c) => c.notNull())
        .addColumn("countersignature", "text", (c) => c.notNull())
        .addColumn("receivedAt", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("recordKey", ["takeId", "n"])
        .execute();
      await db.schema
        .createTable("segment")
        .addColumn("takeId", "text", (c) => c.notNull().references("take.id"))
        .addColumn("seq", "integer", (c) => c.notNull())
        .addColumn("sessionId", "text", (c) => c.notNull())
        .addColumn("pointId", "text", (c) => c.notNull())
        .addColumn("boxId", "text", (c) => c.notNull())
        .addColumn("sizeBytes", "integer", (c) => c.notNull())
        .addColumn("sha256", "text", (c) => c.notNull())
        .addColumn("frames", "integer", (c) => c.notNull())
        .addColumn("streamStartMs", "real", (c) => c.notNull())
        .addColumn("streamEndMs", "real", (c) => c.notNull())
        .addColumn("startedAt", "text", (c) => c.notNull())
        .addColumn("hubState", "text", (c) => c.notNull())
        .addColumn("refusals", "integer", (c) => c.notNull().defaultTo(0))
        .addColumn("hubReceipt", "text")
        .addColumn("hubReceiptSignature", "text")
        .addColumn("provinceState", "text", (c) => c.notNull())
        .addColumn("provinceReceipt", "text")
        .addColumn("provinceReceiptSignature", "text")
        .addPrimaryKeyConstraint("segmentKey", ["takeId", "seq"])
        .execute();
      await db.schema.createIndex("segmentBySession").on("segment").columns(["sessionId", "pointId"]).execute();
      await db.schema.createIndex("segmentByStates").on("segment").columns(["hubState", "provinceState"]).execute();
      await db.schema
        .createTable("gap")
        .addColumn("takeId", "text", (c) => c.notNull().references("take.id"))
        .addColumn("n", "integer", (c) => c.notNull())
        .addColumn("sessionId", "text", (c) => c.notNull())
        .addColumn("pointId", "text", (c) => c.notNull())
        .addColumn("cause", "text", (c) => c.notNull())
        .addColumn("fromAt", "text", (c) => c.notNull())
        .addColumn("toAt", "text", (c) => c.notNull())
        .addColumn("durationMs", "real", (c) => c.notNull())
        .addColumn("detail", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("gapKey", ["takeId", "n"])
        .execute();
      await db.schema
        .createTable("auditEntry")
        .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
        .addColumn("at", "text", (c) => c.notNull())
        .addColumn("actor", "text")
        .addColumn("act", "text", (c) => c.notNull())
        .addColumn("detail", "text", (c) => c.notNull())
        .execute();
      await db.schema
        .createTable("counter")
        .addColumn("name", "text", (c) => c.primaryKey())
        .addColumn("value", "integer", (c) => c.notNull())
        .execute();
    },
  },
  "002-archive": {
    async up(db: Kysely<unknown>) {
      // Running totals: 124 rooms bring a dozen segments a second, and nobody may count them all again for each one.
      for (const column of ["sizeBytes", "hubSegments", "provinceSegments", "refusedSegments", "gaps"])
        await db.schema
          .alterTable("take")
          .addColumn(column, "integer", (c) => c.notNull().defaultTo(0))
          .execute();
      await db.schema
        .alterTable("take")
        .addColumn("durationMs", "real", (c) => c.notNull().defaultTo(0))
        .execute();
      await db.schema
        .alterTable("segment")
        .addColumn("n", "integer", (c) => c.notNull().defaultTo(0))
        .execute();
      await db.schema.createIndex("takeByBox").on("take").columns(["boxId", "startedAt"]).execute();
      await db.schema
        .createTable("bag")
        .addColumn("sessionId", "text", (c) => c.primaryKey().references("session.id"))
        .addColumn("additions", "integer", (c) => c.notNull())
        .addColumn("manifestSha256", "text")
        .addColumn("tagManifestSha256", "text")
        .addColumn("viewing", "integer", (c) => c.notNull().defaultTo(0))
        .addColumn("provinceTagManifestSha256", "text")
        .execute();
      await db.schema
        .createTable("storage")
        .addColumn("name", "text", (c) => c.primaryKey())
        .addColumn("target", "text", (c) => c.notNull())
        .addColumn("uuid", "text", (c) => c.notNull())
        .execute();
    },
  },
  "003-planned-minutes": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable("session")
        .addColumn("plannedMinutes", "integer", (c) => c.notNull().defaultTo(240))
        .execute();
    },
  },
  "004-damaged": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable("take")
        .addColumn("damagedSegments", "integer", (c) => c.notNull().defaultTo(0))
        .execute();
    },
  },
  "005-schedule": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable("session")
        .addColumn("adHoc", "integer", (c) => c.notNull().defaultTo(0))
        .execute();
      for (const column of ["prevHash", "firstFrameAt", "bootId"])
        await db.schema.alterTable("take").addColumn(column, "text").execute();
      for (const column of ["firstMonotonicMs", "hubOffsetMs"])
        await db.schema.alterTable("take").addColumn(column, "real").execute();
      await db.schema
        .createTable("clockAnchor")
        .addColumn("boxId", "text", (c) => c.notNull().references("box.id"))
        .addColumn("bootId", "text", (c) => c.notNull())
        .addColumn("bucket", "integer", (c) => c.notNull())
        .addColumn("monotonicMs", "real", (c) => c.notNull())
        .addColumn("utcMs", "real", (c) => c.notNull())
        .addColumn("errorMs", "real", (c) => c.notNull())
        .addPrimaryKeyConstraint("clockAnchorKey", ["boxId", "bootId", "bucket"])
        .execute();
    },
  },
  "006-alarms": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("alarm")
        .addColumn("boxId", "text", (c) => c.notNull().references("box.id"))
        .addColumn("id", "text", (c) => c.notNull())
        .addColumn("pointId", "text", (c) => c.notNull().references("bridgePoint.id"))
        .addColumn("sessionId", "text", (c) => c.references("session.id"))
        .addColumn("cause", "text", (c) => c.notNull())
        .addColumn("raisedAt", "text", (c) => c.notNull())
        .addColumn("receivedAt", "text", (c) => c.notNull())
        .addColumn("clearedAt", "text")
        .addColumn("facts", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("alarmKey", ["boxId", "id"])
        .execute();
      await db.schema.createIndex("alarmBySession").on("alarm").columns(["sessionId", "pointId"]).execute();
      await db.schema.alterTable("sessionEvent").addColumn("cause", "text").execute();
    },
  },
  "007-hub-copy": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("lostRoom")
        .addColumn("sessionId", "text", (c) => c.notNull().references("session.id"))
        .addColumn("pointId", "text", (c) => c.notNull().references("bridgePoint.id"))
        .addColumn("declaredAt", "text", (c) => c.notNull())
        .addColumn("declaredBy", "text", (c) => c.notNull())
        .addColumn("statement", "text", (c) => c.notNull())
        .addColumn("signature", "text", (c) => c.notNull())
        .addColumn("filledAt", "text")
        .addPrimaryKeyConstraint("lostRoomKey", ["sessionId", "pointId"])
        .execute();
      await db.schema
        .createTable("hubCopy")
        .addColumn("sessionId", "text", (c) => c.notNull())
        .addColumn("pointId", "text", (c) => c.notNull())
        .addColumn("n", "integer", (c) => c.notNull())
        .addColumn("startedAt", "text", (c) => c.notNull())
        .addColumn("durationMs", "real", (c) => c.notNull())
        .addColumn("sizeBytes", "integer", (c) => c.notNull())
        .addColumn("sha256", "text", (c) => c.notNull())
        .addColumn("statement", "text", (c) => c.notNull())
        .addColumn("signature", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("hubCopyKey", ["sessionId", "pointId", "n"])
        .execute();
    },
  },
  "008-clock-error": {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable("take").addColumn("hubOffsetErrorMs", "real").execute();
    },
  },
  "009-companion": {
    async up(db: Kysely<unknown>) {
      for (const column of ["companionUrl", "companionName"])
        await db.schema.alterTable("session").addColumn(column, "text").execute();
      await db.schema
        .alterTable("take")
        .addColumn("track", "text", (c) => c.notNull().defaultTo("room"))
        .execute();
    },
  },
  "010-stage": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("stage")
        .addColumn("sessionId", "text", (c) => c.primaryKey().references("session.id"))
        .addColumn("body", "text", (c) => c.notNull())
        .execute();
      await db.schema.alterTable("sessionEvent").addColumn("detail", "text").execute();
    },
  },
  "011-device-order": {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable("bridgePoint").addColumn("deviceOrder", "text").execute();
    },
  },
  "012-renewal": {
    async up(db: Kysely<unknown>) {
      for (const column of ["formerSerial", "formerCertificatePem"])
        await db.schema.alterTable("box").addColumn(column, "text").execute();
    },
  },
  "013-releases": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("release")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("manifest", "text", (c) => c.notNull())
        .addColumn("signature", "text", (c) => c.notNull())
        .addColumn("addedAt", "text", (c) => c.notNull())
        .addColumn("addedBy", "text", (c) => c.notNull())
        .addColumn("publishedAt", "text")
        .addColumn("state", "text", (c) => c.notNull())
        .addColumn("firstRing", "text", (c) => c.notNull())
        .addColumn("opened", "integer", (c) => c.notNull())
        .addColumn("attempt", "integer", (c) => c.notNull())
        .addColumn("failures", "text", (c) => c.notNull())
        .execute();
      await db.schema
        .createTable("boxUpdate")
        .addColumn("boxId", "text", (c) => c.primaryKey().references("box.id"))
        .addColumn("body", "text", (c) => c.notNull())
        .addColumn("healthySince", "text")
        .addColumn("at", "text", (c) => c.notNull())
        .execute();
    },
  },
  "014-rereading": {
    async up(db: Kysely<unknown>) {
      for (const column of ["rereadAt", "provinceRereadAt"])
        await db.schema.alterTable("take").addColumn(column, "text").execute();
    },
  },
  "015-disk-key": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("diskKey")
        .addColumn("boxId", "text", (c) => c.primaryKey().references("box.id"))
        .addColumn("volume", "text", (c) => c.notNull())
        .addColumn("key", "text", (c) => c.notNull())
        .addColumn("keptAt", "text", (c) => c.notNull())
        .execute();
    },
  },
  "016-connection-test": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("connectionTest")
        .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
        .addColumn("sessionId", "text", (c) => c.notNull().references("session.id"))
        .addColumn("minutesBefore", "integer")
        .addColumn("dueAt", "text")
        .addColumn("at", "text")
        .addColumn("actor", "text")
        .addColumn("rooms", "text", (c) => c.notNull())
        .addUniqueConstraint("connectionTestOnce", ["sessionId", "minutesBefore"])
        .execute();
    },
  },
  "017-accounts": {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable("user").addColumn("closedAt", "text").execute();
    },
  },
};
