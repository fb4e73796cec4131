type Event = { readonly name?: string; readonly queryStringParameters?: { readonly name?: string } };

/** Greets the name in the event, or in the query of a request to the function's URL. */
export async function handler(event: Event): Promise<{ greeting: string }> {
  const name = event.name ?? event.queryStringParameters?.name ?? 'World';
  return { greeting: `Hello, ${name}!` };
}
