/**
 * The database schema, as ordered steps. Never edit or move a released step: append a new one. `openDatabase` applies
 * missing steps in one transaction.
 *
 * Tables of AWS resources are keyed by region and account first, so functions of different scopes are separate. Lists
 * and maps are JSON text.
 */

export type Migration = {
  /** What the step adds, for readers. */
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
        tags TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
      -- Version numbers are never reused, even after the function is deleted: rows of this table stay.
      CREATE TABLE function_numbering (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        last_version INTEGER NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE function_version (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL, -- 0 is $LATEST
        configuration TEXT NOT NULL,
        code TEXT NOT NULL,
        state TEXT NOT NULL, -- State and LastUpdateStatus with their reasons
        is_settling INTEGER NOT NULL, -- 1 while Pending or InProgress
        revision_id TEXT NOT NULL,
        last_modified TEXT NOT NULL,
        published_from TEXT, -- fingerprint of the $LATEST that was published as this version
        digest TEXT, -- of the code
        layer_digests TEXT NOT NULL, -- in order, separated by spaces
        PRIMARY KEY (region, account, name, version),
        FOREIGN KEY (region, account, name) REFERENCES function (region, account, name) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX function_version_settling ON function_version (is_settling) WHERE is_settling = 1;
    `,
  },
  {
    name: 'log groups, streams and events',
    sql: `
      CREATE TABLE log_group (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        retention_days INTEGER,
        class TEXT NOT NULL,
        kms_key_id TEXT,
        is_protected INTEGER NOT NULL,
        tags TEXT NOT NULL,
        stored_bytes INTEGER NOT NULL,
        UNIQUE (region, account, name)
      ) STRICT;
      CREATE TABLE log_stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        group_id INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        first_event_ms INTEGER,
        last_event_ms INTEGER,
        last_ingestion_ms INTEGER,
        UNIQUE (group_id, name)
      ) STRICT;
      CREATE INDEX log_stream_by_time ON log_stream (group_id, last_event_ms);
      -- Events of one stream, at most a minute of them: one write of the log store.
      CREATE TABLE log_chunk (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        group_id INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,
        stream_id INTEGER NOT NULL REFERENCES log_stream (id) ON DELETE CASCADE,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL,
        events TEXT NOT NULL
      ) STRICT;
      CREATE INDEX log_chunk_by_group ON log_chunk (group_id, first_ms, id);
      CREATE INDEX log_chunk_by_stream ON log_chunk (stream_id, first_ms, id);
    `,
  },
  {
    name: 'roles, policies and temporary credentials',
    sql: `
      -- IAM is global, and its names are case-insensitive.
      CREATE TABLE iam_role (
        account TEXT NOT NULL,
        name TEXT NOT NULL COLLATE NOCASE,
        path TEXT NOT NULL,
        role_id TEXT NOT NULL,
        trust_policy TEXT NOT NULL,
        description TEXT,
        max_session_duration INTEGER NOT NULL,
        permissions_boundary TEXT,
        created_ms INTEGER NOT NULL,
        tags TEXT NOT NULL,
        PRIMARY KEY (account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE iam_role_inline_policy (
        account TEXT NOT NULL,
        role TEXT NOT NULL COLLATE NOCASE,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (account, role, name),
        FOREIGN KEY (account, role) REFERENCES iam_role (account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE iam_role_attachment (
        account TEXT NOT NULL,
        role TEXT NOT NULL COLLATE NOCASE,
        policy_arn TEXT NOT NULL,
        PRIMARY KEY (account, role, policy_arn),
        FOREIGN KEY (account, role) REFERENCES iam_role (account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX iam_role_attachment_by_policy ON iam_role_attachment (account, policy_arn);
      CREATE TABLE iam_policy (
        account TEXT NOT NULL,
        name TEXT NOT NULL COLLATE NOCASE,
        path TEXT NOT NULL,
        arn TEXT NOT NULL,
        policy_id TEXT NOT NULL,
        description TEXT,
        default_version INTEGER NOT NULL,
        last_version INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        tags TEXT NOT NULL,
        PRIMARY KEY (account, name),
        UNIQUE (account, arn)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE iam_policy_version (
        account TEXT NOT NULL,
        policy_arn TEXT NOT NULL,
        version INTEGER NOT NULL,
        document TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        PRIMARY KEY (account, policy_arn, version),
        FOREIGN KEY (account, policy_arn) REFERENCES iam_policy (account, arn) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE sts_session (
        access_key_id TEXT NOT NULL,
        secret_access_key TEXT NOT NULL,
        account TEXT NOT NULL,
        arn TEXT NOT NULL,
        user_id TEXT NOT NULL,
        expires_ms INTEGER NOT NULL,
        PRIMARY KEY (access_key_id)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'settings of functions, policies of layers, event source mappings, code signing',
    sql: `
      -- Aliases, policies, URLs, concurrency ...: one JSON document by kind and qualifier ('' for the function itself).
      CREATE TABLE function_setting (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, kind, name, qualifier),
        FOREIGN KEY (region, account, name) REFERENCES function (region, account, name) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX function_setting_by_function ON function_setting (region, account, name);
      CREATE TABLE layer_version_policy (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, name, version),
        FOREIGN KEY (region, account, name, version)
          REFERENCES layer_version (region, account, name, version) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE event_source_mapping (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        uuid TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, uuid)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE code_signing_config (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, id)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'S3 buckets, objects and uploads',
    sql: `
      -- Bucket names are unique across accounts and regions.
      CREATE TABLE s3_bucket (
        name TEXT NOT NULL PRIMARY KEY,
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        versioning TEXT NOT NULL -- '', 'Enabled' or 'Suspended'
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE s3_bucket_configuration (
        bucket TEXT NOT NULL REFERENCES s3_bucket (name) ON DELETE CASCADE,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (bucket, name)
      ) STRICT, WITHOUT ROWID;
      -- One row per version of an object. Delete markers have no file.
      CREATE TABLE s3_object (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket TEXT NOT NULL REFERENCES s3_bucket (name),
        key TEXT NOT NULL,
        version_id TEXT NOT NULL,
        is_latest INTEGER NOT NULL,
        file TEXT,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        headers TEXT NOT NULL,
        tags TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        UNIQUE (bucket, key, version_id)
      ) STRICT;
      CREATE UNIQUE INDEX s3_object_latest ON s3_object (bucket, key) WHERE is_latest = 1;
      CREATE TABLE s3_upload (
        id TEXT NOT NULL PRIMARY KEY,
        bucket TEXT NOT NULL REFERENCES s3_bucket (name),
        key TEXT NOT NULL,
        headers TEXT NOT NULL,
        tags TEXT NOT NULL,
        initiated_ms INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX s3_upload_by_key ON s3_upload (bucket, key);
      CREATE TABLE s3_part (
        upload_id TEXT NOT NULL REFERENCES s3_upload (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        file TEXT NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        PRIMARY KEY (upload_id, number)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'messages in queues',
    sql: `
      -- AUTOINCREMENT: ids are never reused.
      CREATE TABLE queue_message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        body BLOB NOT NULL,
        details TEXT NOT NULL,
        sent_ms INTEGER NOT NULL,
        visible_ms INTEGER NOT NULL,
        is_leased INTEGER NOT NULL DEFAULT 0,
        receives INTEGER NOT NULL DEFAULT 0,
        first_received_ms INTEGER,
        source TEXT -- of a dead letter: the queue that it comes from
      ) STRICT;
      CREATE INDEX queue_message_by_visibility ON queue_message (queue, visible_ms);
    `,
  },
  {
    name: 'HTTP gateways',
    sql: `
      CREATE TABLE door (
        name TEXT NOT NULL PRIMARY KEY,
        document TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'SQS queues',
    sql: `
      CREATE TABLE sqs_queue (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        modified_ms INTEGER NOT NULL,
        attributes TEXT NOT NULL,
        tags TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'SNS topics and subscriptions',
    sql: `
      CREATE TABLE sns_topic (
        arn TEXT NOT NULL PRIMARY KEY,
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        attributes TEXT NOT NULL,
        tags TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE sns_subscription (
        arn TEXT NOT NULL PRIMARY KEY,
        topic TEXT NOT NULL REFERENCES sns_topic (arn) ON DELETE CASCADE,
        protocol TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        attributes TEXT NOT NULL,
        UNIQUE (topic, protocol, endpoint)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'schedules, and events of an event bus',
    sql: `
      CREATE TABLE schedule (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        next_ms INTEGER, -- NULL after the last one
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE bus_event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bus TEXT NOT NULL,
        event TEXT NOT NULL,
        at_ms INTEGER NOT NULL
      ) STRICT;
    `,
  },
  {
    name: 'indexes for queries across all functions',
    sql: `
      CREATE INDEX function_version_by_digest ON function_version (digest) WHERE digest IS NOT NULL;
      CREATE INDEX function_version_by_layers ON function_version (layer_digests) WHERE layer_digests <> '';
      ALTER TABLE function_version ADD COLUMN code_size INTEGER NOT NULL DEFAULT 0;
      UPDATE function_version SET code_size = code ->> 'codeSize';
      CREATE INDEX function_version_by_size ON function_version (region, account, code_size);
      CREATE INDEX function_setting_provisioned ON function_setting (account, region, name, qualifier)
        WHERE kind = 'provisioned-concurrency';
    `,
  },
  {
    name: 'members of layer content that are stored and returned',
    sql: "ALTER TABLE layer_version ADD COLUMN stored TEXT NOT NULL DEFAULT '{}'",
  },
  {
    // `published_from` was a digest of code and configuration; it now identifies an update of $LATEST.
    name: 'the update that a version was published from',
    sql: `
      UPDATE function_version AS latest SET published_from = (
        SELECT CASE
          WHEN latest.code = last.code
            AND json_remove(latest.configuration, '$.description') = json_remove(last.configuration, '$.description')
          THEN last.published_from
        END
        FROM function_version AS last
        WHERE (last.region, last.account, last.name) = (latest.region, latest.account, latest.name) AND last.version > 0
        ORDER BY last.version DESC LIMIT 1
      ) WHERE version = 0;
      UPDATE function_version SET published_from = lower(hex(randomblob(16))) WHERE version = 0 AND published_from IS NULL;
    `,
  },
  {
    name: 'FIFO queues and topics',
    sql: `
      -- Only of messages in FIFO queues. Within a group the order is that of the ids.
      ALTER TABLE queue_message ADD COLUMN message_group TEXT;
      CREATE INDEX queue_message_by_group ON queue_message (queue, message_group, id) WHERE message_group IS NOT NULL;
      -- Deduplication ids. AUTOINCREMENT: ids are never reused.
      CREATE TABLE deduplication (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL, -- a queue or topic
        key TEXT NOT NULL,
        result TEXT NOT NULL,
        sent_ms INTEGER NOT NULL,
        UNIQUE (owner, key)
      ) STRICT;
      CREATE INDEX deduplication_by_time ON deduplication (owner, sent_ms);
    `,
  },
  {
    name: 'Parameter Store and Secrets Manager',
    sql: `
      CREATE TABLE ssm_parameter (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        modified_ms INTEGER NOT NULL,
        document TEXT NOT NULL,
        labels TEXT NOT NULL,
        PRIMARY KEY (region, account, name, version)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE ssm_parameter_tags (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        tags TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE secret (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'CloudFormation stacks',
    sql: `
      CREATE TABLE stack (
        id TEXT NOT NULL PRIMARY KEY, -- its ARN
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        deleted_ms INTEGER, -- the name of a deleted stack is free
        document TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE UNIQUE INDEX stack_by_name ON stack (region, account, name) WHERE deleted_ms IS NULL;
      CREATE TABLE stack_resource (
        stack TEXT NOT NULL,
        logical_id TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (stack, logical_id)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE stack_event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stack TEXT NOT NULL,
        document TEXT NOT NULL
      ) STRICT;
      CREATE INDEX stack_event_by_stack ON stack_event (stack, id);
      CREATE TABLE stack_change_set (
        id TEXT NOT NULL PRIMARY KEY,
        stack TEXT NOT NULL,
        name TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        document TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX stack_change_set_by_stack ON stack_change_set (stack);
      -- What SignalResource, wait handles and custom resources were told.
      CREATE TABLE stack_signal (
        target TEXT NOT NULL,
        unique_id TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (target, unique_id)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE stack_export (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        stack TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'APIs of API Gateway, and load balancers',
    sql: `
      -- The order of rowids is that of creation.
      CREATE TABLE api_gateway (
        id INTEGER PRIMARY KEY,
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        parent TEXT NOT NULL, -- the API, domain name or usage plan that it belongs to, or nothing
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (region, account, kind, parent, name)
      ) STRICT;
      CREATE INDEX api_gateway_by_parent ON api_gateway (region, account, parent);
      CREATE TABLE load_balancing (
        id INTEGER PRIMARY KEY,
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        parent TEXT NOT NULL, -- the load balancer or listener that it belongs to, or nothing
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (region, account, kind, parent, name)
      ) STRICT;
      CREATE INDEX load_balancing_by_parent ON load_balancing (region, account, parent);
    `,
  },
  {
    name: 'event buses and rules',
    sql: `
      CREATE TABLE event_bus (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE event_rule (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        bus TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, bus, name)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: "schedules and schedule groups of EventBridge Scheduler's API",
    sql: `
      CREATE TABLE scheduler (
        id INTEGER PRIMARY KEY,
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        parent TEXT NOT NULL, -- the group of a schedule, or nothing
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (region, account, kind, parent, name)
      ) STRICT;
      CREATE INDEX scheduler_by_parent ON scheduler (region, account, parent);
    `,
  },
  {
    name: 'subscription filters of log groups',
    sql: `
      CREATE TABLE log_subscription (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        log_group TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, log_group, name)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: 'settings of tables of DynamoDB',
    sql: `
      CREATE TABLE dynamodb_table (
        region TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (region, account, name)
      ) STRICT, WITHOUT ROWID;
    `,
  },
];
