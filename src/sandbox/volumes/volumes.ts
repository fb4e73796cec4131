/**
 * Volumes: directories of a fixed size for what processes write. As root each is a file system of its own in a sparse
 * file, so that the kernel says "no space left" beyond the size (`loop-volumes.ts`); otherwise a plain directory, which
 * ends where the disk does. Either way it lies on disk and outlives the processes of its sandbox.
 */

export type Volume = {
  /** What to mount; it may be there only for who starts by `Volumes.enterCommand`. */
  readonly directory: string;
  /** To be called once nobody uses it. Never rejects. */
  remove(): Promise<void>;
};

export interface Volumes {
  /** Resolves when volumes can be had and `enterCommand` is complete. Never rejects. */
  readonly ready: Promise<void>;
  /** The command by which programs must be started that are to see the volumes; empty when everybody sees them. */
  readonly enterCommand: readonly string[];
  /** An empty volume in which exactly so much can be written, if the host can enforce that. */
  take(sizeBytes: number): Promise<Volume>;
  close(): Promise<void>;
}
