/** Counts the orders in a batch of messages from SQS. An order without an ID fails, and its message is retried. */
type SqsEvent = { readonly Records: readonly { readonly messageId: string; readonly body: string }[] };

export const handler = async (event: SqsEvent) => {
  const batchItemFailures: { itemIdentifier: string }[] = [];
  for (const { messageId, body } of event.Records) {
    const order = JSON.parse(body) as { readonly id?: number };
    if (order.id === undefined) batchItemFailures.push({ itemIdentifier: messageId });
    else console.log(`order ${order.id}`);
  }
  return { batchItemFailures };
};
