/** What an event that `lamella event` writes consists of: its names, its fields, and the function that fills them in. */

import { renderArn } from '../../protocol/arn.ts';

/** The values of the fields, by name. */
export type Fields = (name: string) => string;

export type EventType = {
  /** As SAM names it: `s3`. */
  readonly service: string;
  /** `put` */
  readonly type: string;
  readonly summary: string;
  /** The flags without `--`, with their defaults. */
  readonly fields: Readonly<Record<string, string>>;
  readonly build: (field: Fields) => unknown;
};

/** Fields that many events have. */
export const REGION = { region: 'us-east-1' } as const;
export const PARTITION = { partition: 'aws' } as const;
export const ACCOUNT = { 'account-id': '123456789012' } as const;
export const PLACE = { ...REGION, ...PARTITION, ...ACCOUNT } as const;

/** All events have the same time, so that the same command writes the same bytes. */
export const TIME = '2026-01-15T12:00:00.000Z';
export const EPOCH_SECONDS = 1_768_478_400;
export const EPOCH_MS = EPOCH_SECONDS * 1000;
export const REQUEST_ID = '6f2a8c1e-9b34-4d57-8e60-2c1d7f9a4b53';

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** An ARN in the partition, region and account of the fields. */
export function arnOf(f: Fields, service: string, resource: string): string {
  return renderArn({ partition: f('partition'), service, region: f('region'), account: f('account-id'), resource });
}

/** An ARN without region and account, such as that of a bucket. */
export function globalArnOf(partition: string, service: string, resource: string): string {
  return renderArn({ partition, service, region: '', account: '', resource });
}

/** Builds the rows of one service. */
export function eventsOf(
  service: string,
  types: Readonly<Record<string, Omit<EventType, 'service' | 'type'>>>,
): EventType[] {
  return Object.entries(types).map(([type, row]) => ({ service, type, ...row }));
}
