/** How an artifact is built: what each build method returns (`methods.ts`), and what it gets. */
import type { ZipEntry } from '../../packaging/zip-writer.ts';
import type { JsonObject } from '../../template/tree.ts';

export type BuildContext = {
  /** The template. */
  readonly template: string;
  /** The directory of the template: paths in Metadata are relative to it. */
  readonly directory: string;
  /** Where the zips are written. Never packed. */
  readonly buildDirectory: string;
  /** The cache of downloads. */
  readonly cacheDir: string;
  /** `BuildProperties` of the template's PHP layer, for the layers that must match it. */
  readonly phpLayer: JsonObject | undefined;
  /** Whether a layer of the template has the packages of Composer. */
  readonly hasVendorLayer: boolean;
  readonly onProgress: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
};

export type BuildContents = {
  readonly entries: readonly ZipEntry[];
  /** What the package left out, as `lamella package` reports it. */
  readonly leftOut: readonly string[];
  readonly warnings: readonly string[];
};

export type BuildPlan = {
  /** For people: `composer for PHP 8.4`. */
  readonly description: string;
  /**
   * The digest of everything that the build reads. Undefined if listing the contents costs little: then their digest
   * decides whether the zip is written again.
   */
  readonly inputs: string | undefined;
  /** Builds, and calls `use` while the files exist. */
  build<Result>(use: (contents: BuildContents) => Promise<Result>): Promise<Result>;
};
