/**
 * The database's schema, as ordered steps. A step is never edited or moved once it was released: append a new one.
 * `openDatabase` applies the steps that a database lacks, all of them in one transaction.
 *
 * Every table that holds something of AWS's is keyed by region and account first: functions of different scopes do not
 * see each other. Lists and maps are JSON text.
 */

export type Migration = {
  /** What the step adds; for people. */
  readonly name: string;
  readonly sql: string;
};

export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'layer versions',
    sql: `
      CREATE TABLE layer (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        last_version INTEGER NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE layer_version (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        description TEXT NOT NULL,
        created_date TEXT NOT NULL,
        compatible_runtimes TEXT NOT NULL,
        compatible_architectures TEXT NOT NULL,
        license_info TEXT,
        digest TEXT NOT NULL,
        code_sha256 TEXT NOT NULL,
        code_size INTEGER NOT NULL,
        unzipped_size INTEGER NOT NULL,
        PRIMARY KEY (region, account, name, version),
        FOREIGN KEY (region, account, name) REFERENCES layer (region, account, name)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'functions and their versions',
    sql: `
      CREATE TABLE function (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        last_version INTEGER NOT NULL,
        tags TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE function_version (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL, -- 0 is $LATEST
        configuration TEXT NOT NULL,
        code TEXT NOT NULL,
        revision_id TEXT NOT NULL,
        last_modified TEXT NOT NULL,
        state TEXT NOT NULL, -- State and LastUpdateStatus with their reasons
        PRIMARY KEY (region, account, name, version),
        FOREIGN KEY (region, account, name) REFERENCES function (region, account, name) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
    `,
  },
];
