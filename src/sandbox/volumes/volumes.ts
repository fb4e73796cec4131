/**
 * Volumes: writable directories of a fixed size. If the service is root, each is a file system in a sparse file, so that
 * the kernel reports "no space left on device" beyond the size (`loop-volumes.ts`). Otherwise it is a plain directory,
 * limited only by the disk. Volumes are on disk and outlive the processes of their sandbox.
 */

/** A volume that was taken. */
export type Volume = {
  /** The directory to mount. It may be visible only to programs started with `Volumes.enterCommand`. */
  readonly directory: string;
  /** The size that the kernel enforces; undefined for a plain directory. */
  readonly limitBytes: number | undefined;
  /** Removes the volume. Call it when no process uses it. Never rejects. */
  remove(): Promise<void>;
};

/** A supply of volumes. */
export interface Volumes {
  /** Resolves when volumes can be taken and `enterCommand` can be used. Never rejects. */
  readonly ready: Promise<void>;
  /** Command prefix for programs that must see the volumes. Empty if every program sees them. */
  readonly enterCommand: readonly string[];
  /**
   * Takes an empty volume that holds exactly `sizeBytes`, if the host can enforce that. Rejects with `OperatorError` when
   * the disk is full or another resource of this machine has run out.
   */
  take(sizeBytes: number): Promise<Volume>;
  close(): Promise<void>;
}
