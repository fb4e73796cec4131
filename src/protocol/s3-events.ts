/**
 * The events of S3's notifications.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
 */

/** What a configuration may name. Only the events of `S3_EVENTS_HERE` happen in Lamella. */
export const S3_EVENTS = [
  's3:ReducedRedundancyLostObject',
  's3:ObjectCreated:*',
  's3:ObjectCreated:Put',
  's3:ObjectCreated:Post',
  's3:ObjectCreated:Copy',
  's3:ObjectCreated:CompleteMultipartUpload',
  's3:ObjectRemoved:*',
  's3:ObjectRemoved:Delete',
  's3:ObjectRemoved:DeleteMarkerCreated',
  's3:ObjectRestore:*',
  's3:ObjectRestore:Post',
  's3:ObjectRestore:Completed',
  's3:Replication:*',
  's3:Replication:OperationFailedReplication',
  's3:Replication:OperationNotTracked',
  's3:Replication:OperationMissedThreshold',
  's3:Replication:OperationReplicatedAfterThreshold',
  's3:ObjectRestore:Delete',
  's3:LifecycleTransition',
  's3:IntelligentTiering',
  's3:ObjectAcl:Put',
  's3:LifecycleExpiration:*',
  's3:LifecycleExpiration:Delete',
  's3:LifecycleExpiration:DeleteMarkerCreated',
  's3:ObjectTagging:*',
  's3:ObjectTagging:Put',
  's3:ObjectTagging:Delete',
] as const;

/** Without the prefix `s3:`, as records have them, with the version of their records. */
export const S3_EVENTS_HERE = {
  'ObjectCreated:Put': '2.1',
  'ObjectCreated:Copy': '2.1',
  'ObjectCreated:CompleteMultipartUpload': '2.1',
  'ObjectRemoved:Delete': '2.1',
  'ObjectRemoved:DeleteMarkerCreated': '2.1',
  'ObjectTagging:Put': '2.3',
  'ObjectTagging:Delete': '2.3',
} as const;

export type S3EventName = keyof typeof S3_EVENTS_HERE;
