/** The `RedrivePolicy` of a queue or subscription. */

/** The ARN of the dead-letter queue in a policy, which is JSON text. */
export function deadLetterArnOf(redrivePolicy: string): string | undefined {
  const { deadLetterTargetArn } = JSON.parse(redrivePolicy) as { readonly deadLetterTargetArn?: string };
  return deadLetterTargetArn;
}
