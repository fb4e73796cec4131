/** A queue's or subscription's `RedrivePolicy`, as far as a delivery needs it. */

/** The dead-letter queue of a policy, given as JSON text. */
export function deadLetterArnOf(redrivePolicy: string): string | undefined {
  const { deadLetterTargetArn } = JSON.parse(redrivePolicy) as { readonly deadLetterTargetArn?: string };
  return deadLetterTargetArn;
}
