/** The settings of an event source mapping of a queue, with defaults. */
import type { EventSourceMapping } from '../mapping-rules.ts';
import { createRecordFilter, type RecordFilter } from './sqs-event.ts';

export type SqsMappingSettings = {
  readonly batchSize: number;
  /** Maximum time to collect a batch. */
  readonly windowMs: number;
  /** Maximum number of batches at the same time. */
  readonly concurrency: number;
  /** Whether the function's response lists the messages that failed. */
  readonly reportsFailures: boolean;
  readonly filter: RecordFilter;
};

/** Lambda starts to poll with this concurrency. */
const DEFAULT_CONCURRENCY = 5;

/** @throws InvalidPattern */
export function sqsMappingSettingsOf({ members }: EventSourceMapping): SqsMappingSettings {
  const { BatchSize, MaximumBatchingWindowInSeconds, FunctionResponseTypes, ScalingConfig, FilterCriteria } =
    members as {
      readonly BatchSize?: number;
      readonly MaximumBatchingWindowInSeconds?: number;
      readonly FunctionResponseTypes?: readonly string[];
      readonly ScalingConfig?: { readonly MaximumConcurrency?: number };
      readonly FilterCriteria?: { readonly Filters?: readonly { readonly Pattern?: string }[] };
    };
  const patterns = (FilterCriteria?.Filters ?? []).flatMap(({ Pattern }) => (Pattern === undefined ? [] : [Pattern]));
  return {
    batchSize: BatchSize ?? 10,
    windowMs: (MaximumBatchingWindowInSeconds ?? 0) * 1000,
    concurrency: ScalingConfig?.MaximumConcurrency ?? DEFAULT_CONCURRENCY,
    reportsFailures: FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false,
    filter: createRecordFilter(patterns),
  };
}
